"""Damage on purpose: what a failing disk does to a stored file, behind the repository's back."""

from __future__ import annotations

import json
import os
from pathlib import Path


def stored_file(root: Path, record_id: str, key: str) -> Path:
    """The file on disk that holds ``key`` of a record, found through its inventory (OCFL 1.1, section 3.5).

    Raises ``FileNotFoundError`` when the store has no such record or file.
    """
    for inventory in root.rglob("inventory.json"):
        document = json.loads(inventory.read_text())
        if not document["id"].endswith(record_id) or inventory.parent.name.startswith("v"):
            continue
        state = document["versions"][document["head"]]["state"]
        for digest, names in state.items():
            if any(name == key or name.endswith(f"/{key}") for name in names):
                stored: str = document["manifest"][digest][0]
                return inventory.parent / stored
    raise FileNotFoundError(f"{key} of record {record_id} is not below {root}")


def damage(path: Path) -> None:
    """Flip one bit in the middle of a file, as a failing disk would: size and dates of the name stay."""
    before = path.stat()
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(before.st_size // 2)
        byte = file.read(1)[0]
        file.seek(before.st_size // 2)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    path.chmod(before.st_mode & 0o777)
