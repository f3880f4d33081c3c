"""The inventory of an object as we write it (OCFL 1.1, section 3.5)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SIDECAR = "inventory.json.sha512"


@dataclass(slots=True)
class Inventory:
    """An inventory with the digest algorithm sha512 and unpadded versions ``v1``, ``v2``, …"""

    object_id: str
    head: int = 0
    manifest: dict[str, list[str]] = field(default_factory=dict)
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    fixity: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: bytes) -> Inventory:
        """Read an inventory of ours. Raises ``ValueError`` when it is not one."""
        document = json.loads(raw)
        if (
            not isinstance(document, dict)
            or document.get("digestAlgorithm") != "sha512"
            or "contentDirectory" in document
        ):
            raise ValueError("this inventory was not written by this store")
        return cls(
            document["id"],
            int(document["head"][1:]),
            document["manifest"],
            document["versions"],
            document.get("fixity", {}),
        )

    def raw(self) -> bytes:
        document = {
            "id": self.object_id,
            "type": "https://ocfl.io/1.1/spec/#inventory",
            "digestAlgorithm": "sha512",
            "head": f"v{self.head}",
            "manifest": self.manifest,
            "versions": self.versions,
            "fixity": self.fixity,
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    def begin_version(self, *, created: datetime, message: str, user: str, user_uri: str) -> None:
        """Add an empty version after the head."""
        self.head += 1
        self.versions[f"v{self.head}"] = {
            "created": created.isoformat(timespec="seconds"),
            "message": message,
            "user": {"name": user, "address": user_uri},
            "state": {},
        }

    def add(self, logical: str, sha512: str, fixity: dict[str, str]) -> str | None:
        """Put a file into the head version; the content path to write, None when its bytes are kept already."""
        state: dict[str, list[str]] = self.versions[f"v{self.head}"]["state"]
        state.setdefault(sha512, []).append(logical)
        if sha512 in self.manifest:
            return None
        path = f"v{self.head}/content/{logical}"
        self.manifest[sha512] = [path]
        for algorithm, digest in fixity.items():
            self.fixity.setdefault(algorithm, {}).setdefault(digest, []).append(path)
        return path

    def state(self, version: int) -> dict[str, str]:
        """Logical path → sha512 of a version."""
        block = self.versions[f"v{version}"]["state"]
        return {logical: digest for digest, paths in block.items() for logical in paths}

    def content(self, version: int) -> dict[str, str]:
        """Logical path → content path of a version."""
        return {logical: self.manifest[digest][0] for logical, digest in self.state(version).items()}


def sidecar(raw: bytes) -> bytes:
    """The digest file of an inventory (OCFL 1.1, section 3.7)."""
    return f"{hashlib.sha512(raw).hexdigest()} inventory.json\n".encode()
