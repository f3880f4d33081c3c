"""Where an object is in the storage root: OCFL extension 0004, hashed n-tuple."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from indigo_repository.adapters.storage.durable import fsync, write_new

NAME = "0004-hashed-n-tuple-storage-layout"
_CONFIG = {
    "extensionName": NAME,
    "digestAlgorithm": "sha256",
    "tupleSize": 3,
    "numberOfTuples": 3,
    "shortObjectRoot": False,
}


def object_path(object_id: str) -> str:
    """Path of an object below the root, for example ``70c/b11/831/70cb11831…``."""
    digest = hashlib.sha256(object_id.encode()).hexdigest()
    return f"{digest[:3]}/{digest[3:6]}/{digest[6:9]}/{digest}"


def prepare_root(root: Path) -> None:
    """Make ``root`` an OCFL 1.1 storage root unless it is one (OCFL 1.1, section 4).

    Raises ``ValueError`` when it is a root of another version or layout, or has something else in it.
    """
    root.mkdir(parents=True, exist_ok=True)
    declaration, layout = root / "0=ocfl_1.1", root / "ocfl_layout.json"
    config = root / "extensions" / NAME / "config.json"
    wanted = {
        config: json.dumps(_CONFIG, indent=2).encode(),
        layout: json.dumps(
            {"extension": NAME, "description": "Objects by the SHA-256 of their id, three tuples of three"},
            indent=2,
        ).encode(),
        declaration: b"ocfl_1.1\n",  # last: a root without it was never finished
    }
    if not declaration.exists():
        strangers = {path.name for path in root.iterdir()} - {"extensions", "ocfl_layout.json"}
        if strangers:
            raise ValueError(f"{root} is not an OCFL 1.1 storage root and is not empty: {sorted(strangers)[:3]}")
    for path, content in wanted.items():
        if path.exists() and path.read_bytes() != content and declaration.exists():
            raise ValueError(f"{path} is not the layout this release writes")
        if not declaration.exists() or not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            write_new(path, content)
            fsync(path.parent)
    fsync(root)
