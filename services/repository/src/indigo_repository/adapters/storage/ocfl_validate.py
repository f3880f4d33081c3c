"""Whether a directory is a valid OCFL object (OCFL 1.0 and 1.1): structure, inventories and every digest.

Blocking: call it in a thread. Symbolic links are never followed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indigo_repository.adapters.storage.ocfl_inventory import (
    SPECS,
    VERSION,
    InventoryRules,
    Issues,
    number,
    paths_of,
)

_SIDECAR = re.compile(r"(?P<digest>[0-9A-Fa-f]+)[ \t]+inventory\.json\r?\n?")
_HASHLIB = {"blake2b-512": "blake2b", "sha512/256": "sha512_256"}
_REGISTERED_EXTENSIONS = re.compile(r"00(0[1-9]|1[0-2])-[a-z0-9-]+|initial")
_CHUNK = 1 << 20


@dataclass(slots=True)
class _Inventory:
    raw: bytes
    document: dict[str, Any]
    rules: InventoryRules

    @property
    def algorithm(self) -> str:
        value = self.document.get("digestAlgorithm")
        return value if value in {"sha512", "sha256"} else "sha512"


def validate_object(root: Path, *, digests: bool = True) -> Issues:
    """Every rule the object at ``root`` breaks; ``digests=False`` leaves the bytes of content files unread."""
    return _ObjectValidation(root, digests=digests).run()


def digests_of(path: Path, algorithms: set[str]) -> dict[str, str]:
    """Hex digests of a file by their OCFL names, in one reading."""
    hashes: dict[str, Any] = {}
    for name in algorithms:
        if name.startswith("blake2b-"):
            hashes[name] = hashlib.blake2b(digest_size=int(name.removeprefix("blake2b-")) // 8)
        else:
            hashes[name] = hashlib.new(_HASHLIB.get(name, name), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            for one in hashes.values():
                one.update(chunk)
    return {name: one.hexdigest() for name, one in hashes.items()}


class _ObjectValidation:
    def __init__(self, root: Path, *, digests: bool) -> None:
        self._root = root
        self._digests = digests
        self._issues = Issues()
        self._expected: dict[str, dict[str, set[tuple[str, str]]]] = {}
        """content path → digest algorithm → (digest in lower case, code of the error when it differs)."""

    def run(self) -> Issues:
        add = self._issues.add
        declared = self._declaration()
        head = self._inventory("", "the root inventory")
        if head is None:
            if not (self._root / "inventory.json").is_file():
                add("E063", "there is no inventory")
            return self._issues
        versions_on_disk = self._root_entries(head)
        kind = str(head.document.get("type"))
        if declared and kind.startswith("https://ocfl.io/") and f"/{declared}/" not in kind:
            add("E038", f"the declaration says OCFL {declared}, the inventory {kind}")
        listed = head.document.get("versions")
        listed = listed if isinstance(listed, dict) else {}
        for name in sorted(set(listed) - set(versions_on_disk)):
            add("E010", f"the directory of version {name} is missing")
        for name in sorted(set(versions_on_disk) - set(listed)):
            add("E046", f"the version {name} is not in the inventory")
        self._expect(head)
        on_disk: dict[str, set[str]] = {}
        older: dict[str, _Inventory] = {}
        for name in sorted(versions_on_disk, key=number):
            on_disk[name] = self._version_directory(name, head)
            one = self._version_inventory(name, head)
            if one is not None:
                older[name] = one
        self._coverage(head, on_disk, max(listed, key=_order, default=None))
        for name, one in older.items():
            if name != head.document.get("head"):
                self._coverage(one, on_disk, name)
        self._content(set().union(*on_disk.values()))
        return self._issues

    def _declaration(self) -> str | None:
        try:
            names = [entry.name for entry in os.scandir(self._root) if entry.name.startswith("0=")]
        except OSError as error:
            self._issues.add("E003", f"the object cannot be read: {error}")
            return None
        if len(names) != 1:
            self._issues.add("E003", f"there are {len(names)} version declarations, not one")
            return None
        name = names[0].removeprefix("0=")
        spec = name.removeprefix("ocfl_object_")
        if spec not in SPECS:
            self._issues.add("E006", f"{name!r} does not declare an OCFL object")
            return None
        if (self._root / names[0]).read_bytes() != f"{name}\n".encode():
            self._issues.add("E007", "the content of the declaration is not its name")
        return spec

    def _root_entries(self, head: _Inventory) -> list[str]:
        versions: list[str] = []
        for entry in sorted(os.scandir(self._root), key=lambda one: one.name):
            directory = entry.is_dir(follow_symlinks=False)
            if entry.name in {"inventory.json", f"inventory.json.{head.algorithm}"} or entry.name.startswith("0="):
                continue
            if directory and VERSION.fullmatch(entry.name):
                versions.append(entry.name)
            elif directory and entry.name == "extensions":
                self._extensions(Path(entry.path))
            elif not (directory and entry.name == "logs"):
                self._issues.add("E001", f"{entry.name!r} does not belong into the root of an object")
        return versions

    def _extensions(self, path: Path) -> None:
        for entry in os.scandir(path):
            if not entry.is_dir(follow_symlinks=False):
                self._issues.add("E067", f"extensions has the file {entry.name!r}")
            elif not _REGISTERED_EXTENSIONS.fullmatch(entry.name):
                self._issues.add("W013", f"the extension {entry.name!r} is not registered")

    def _inventory(self, folder: str, where: str) -> _Inventory | None:
        """Read and check the inventory in ``folder``; None when there is none, or it is not JSON."""
        path = self._root / folder / "inventory.json"
        if not path.is_file():
            return None
        raw = path.read_bytes()
        try:
            document = json.loads(raw)
        except ValueError as error:
            self._issues.add("E033", f"{where} is not JSON: {error}")
            return None
        if not isinstance(document, dict):
            self._issues.add("E034", f"{where} is not an object")
            return None
        rules = InventoryRules(document, self._issues, where)
        rules.check()
        inventory = _Inventory(raw, document, rules)
        self._sidecar(path, inventory, where)
        return inventory

    def _sidecar(self, path: Path, inventory: _Inventory, where: str) -> None:
        sidecar = path.with_name(f"inventory.json.{inventory.algorithm}")
        if not sidecar.is_file():
            self._issues.add("E058", f"{where} has no digest file {sidecar.name}")
            return
        match = _SIDECAR.fullmatch(sidecar.read_bytes().decode("utf-8", "replace"))
        if match is None:
            self._issues.add("E061", f"the digest file of {where} is malformed")
        elif match["digest"].lower() != hashlib.new(inventory.algorithm, inventory.raw).hexdigest():
            self._issues.add("E060", f"the digest of {where} is not the one in its digest file")

    def _expect(self, inventory: _Inventory) -> None:
        for digest, path in paths_of(inventory.document.get("manifest")):
            self._expected.setdefault(path, {}).setdefault(inventory.algorithm, set()).add((digest, "E092"))
        fixity = inventory.document.get("fixity")
        for algorithm, block in (fixity if isinstance(fixity, dict) else {}).items():
            for digest, path in paths_of(block):
                if path in self._expected:
                    self._expected[path].setdefault(algorithm, set()).add((digest, "E093"))

    def _version_directory(self, name: str, head: _Inventory) -> set[str]:
        """Check what a version's directory holds; the content paths in it."""
        add = self._issues.add
        folder = self._root / name
        content = head.rules.content_directory
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                if entry.name != content:
                    add("W002", f"{name} has the directory {entry.name!r} besides its content")
            elif not (entry.name == "inventory.json" or entry.name.startswith("inventory.json.")):
                add("E015", f"{name} has the file {entry.name!r} outside of its content directory")
        found: set[str] = set()
        if not (folder / content).is_dir():
            return found
        for parent, directories, files in os.walk(folder / content):
            if not directories and not files:
                top = Path(parent) == folder / content
                add("W003" if top else "E024", f"the directory {os.path.relpath(parent, self._root)!r} is empty")
            for file in files:
                path = Path(parent) / file
                relative = path.relative_to(self._root).as_posix()
                if path.is_symlink() or not path.is_file():
                    add("E090", f"{relative!r} is not a regular file")
                else:
                    found.add(relative)
            for directory in directories:
                if (Path(parent) / directory).is_symlink():
                    add("E090", f"{directory!r} is a symbolic link")
        return found

    def _version_inventory(self, name: str, head: _Inventory) -> _Inventory | None:
        add = self._issues.add
        path = self._root / name / "inventory.json"
        if not path.is_file():
            add("W010", f"{name} has no inventory")
            return None
        if name == head.document.get("head") and path.read_bytes() == head.raw:
            self._sidecar(path, head, f"the inventory of {name}")
            return head
        one = self._inventory(name, f"the inventory of {name}")
        if name == head.document.get("head"):
            add("E064", f"the inventory of {name} is not the same as that of the object")
        if one is None:
            return None
        document = one.document
        if document.get("id") != head.document.get("id"):
            add("E037", f"the id in the inventory of {name} is another one")
        if document.get("head") != name:
            add("E040", f"the inventory of {name} says its head is {document.get('head')!r}")
        if one.rules.content_directory != head.rules.content_directory:
            code = "E019" if "contentDirectory" in document else "E020"
            add(code, f"the content directory in the inventory of {name} is another one")
        if str(document.get("type")) > str(head.document.get("type")):
            add("E103", f"the inventory of {name} follows a later OCFL than that of the object")
        if one.algorithm != "sha512":
            add("W004", f"{name} does not use sha512")
        self._same_history(name, one, head)
        self._expect(one)
        return one

    def _same_history(self, name: str, one: _Inventory, head: _Inventory) -> None:
        earlier, later = one.document.get("versions"), head.document.get("versions")
        if not isinstance(earlier, dict) or not isinstance(later, dict):
            return
        for version, block in earlier.items():
            against = later.get(version)
            if not isinstance(block, dict) or not isinstance(against, dict):
                self._issues.add("E066", f"{version} is in the inventory of {name} and not in that of the object")
                continue
            if one.algorithm == head.algorithm:
                same = set(paths_of(block.get("state"))) == set(paths_of(against.get("state")))
            else:
                same = _resolved(one, block) == _resolved(head, against)
            if not same:
                self._issues.add("E066", f"the inventory of {name} has another state of {version}")
            for key in ("created", "message", "user"):
                if block.get(key) != against.get(key):
                    self._issues.add("W011", f"the inventory of {name} has another {key} of {version}")

    def _coverage(self, inventory: _Inventory, on_disk: dict[str, set[str]], upto: str | None) -> None:
        """Every file of the versions up to ``upto`` is in the manifest, and the other way round."""
        if upto is None or not VERSION.fullmatch(upto):
            return
        present = {path for name, paths in on_disk.items() if number(name) <= number(upto) for path in paths}
        listed = {path for _, path in paths_of(inventory.document.get("manifest"))}
        for path in sorted(present - listed):
            self._issues.add("E023", f"{path!r} is not in the manifest of {upto}")
        for path in sorted(listed - present):
            self._issues.add("E092", f"{path!r} is in the manifest of {upto} and not on the disk")
        fixity = inventory.document.get("fixity")
        for block in (fixity if isinstance(fixity, dict) else {}).values():
            for _, path in paths_of(block):
                if path in listed - present:
                    self._issues.add("E093", f"{path!r} is in a fixity block and not on the disk")

    def _content(self, present: set[str]) -> None:
        if not self._digests:
            return
        for path in sorted(present & self._expected.keys()):
            expected = self._expected[path]
            try:
                actual = digests_of(self._root / path, {name for name in expected if _computable(name)})
            except OSError as error:
                self._issues.add("E092", f"{path!r} cannot be read: {error}")
                continue
            for name, digest in actual.items():
                for wanted, code in expected[name]:
                    if digest != wanted:
                        self._issues.add(code, f"the {name} of {path!r} is not the one recorded")


def _order(version: str) -> int:
    return number(version) if VERSION.fullmatch(version) else -1


def _computable(algorithm: str) -> bool:
    return algorithm.startswith("blake2b-") or _HASHLIB.get(algorithm, algorithm) in hashlib.algorithms_available


def _resolved(inventory: _Inventory, block: dict[str, Any]) -> dict[str, frozenset[str]]:
    """Logical path → content paths: the same for two inventories with different digest algorithms."""
    manifest: dict[str, set[str]] = {}
    for digest, path in paths_of(inventory.document.get("manifest")):
        # an older manifest lists fewer copies: those of the version's own time are what it can know
        manifest.setdefault(digest, set()).add(path)
    return {
        logical: frozenset(sorted(manifest.get(digest, ()))[:1])
        for digest, logical in paths_of(block.get("state"))
    }
