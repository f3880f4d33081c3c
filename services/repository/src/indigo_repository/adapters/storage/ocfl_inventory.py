"""What OCFL 1.0 and 1.1 demand of an inventory, judged from its JSON alone.

Source: OCFL 1.1, section 3.5, and its validation codes; every issue carries the code of the rule it breaks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

VERSION = re.compile(r"v(\d+)")
SPECS = ("1.0", "1.1")
DIGESTS = {
    "md5": 32,
    "sha1": 40,
    "sha256": 64,
    "sha512": 128,
    "blake2b-512": 128,
    "blake2b-160": 40,
    "blake2b-256": 64,
    "blake2b-384": 96,
    "sha512/256": 64,
}
"""Hex digits of the digests OCFL and its extension 0009 register for fixity blocks."""

_TYPE = re.compile(r"https://ocfl\.io/(\d+\.\d+)/spec/#inventory")
_CREATED = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"
    r"(Z|[+-]([01]\d|2[0-3]):[0-5]\d)"
)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_KEYS = {"id", "type", "digestAlgorithm", "head", "contentDirectory", "manifest", "versions", "fixity"}


@dataclass(frozen=True, slots=True)
class Issue:
    """A broken rule: ``code`` E… makes the object invalid, W… does not."""

    code: str
    message: str


@dataclass(slots=True)
class Issues:
    """What a validation found."""

    found: list[Issue] = field(default_factory=list)

    def add(self, code: str, message: str) -> None:
        issue = Issue(code, message)
        if issue not in self.found:
            self.found.append(issue)

    @property
    def errors(self) -> list[Issue]:
        return [issue for issue in self.found if issue.code.startswith("E")]

    @property
    def warnings(self) -> list[Issue]:
        return [issue for issue in self.found if issue.code.startswith("W")]

    @property
    def valid(self) -> bool:
        return not self.errors


def number(version: str) -> int:
    """``v007`` → 7."""
    return int(version[1:])


def paths_of(block: object) -> Iterable[tuple[str, str]]:
    """(digest in lower case, path) of every well-formed entry of a manifest, a state or a fixity block."""
    if not isinstance(block, dict):
        return
    for digest, paths in block.items():
        for path in paths if isinstance(paths, list) else ():
            if isinstance(path, str):
                yield digest.lower(), path


class InventoryRules:
    """Checks one parsed inventory; ``where`` names it in the messages."""

    def __init__(self, inventory: dict[str, Any], issues: Issues, where: str) -> None:
        self.inventory = inventory
        self._issues = issues
        self._where = where
        self.content_directory = "content"

    def check(self) -> None:
        self._header()
        manifest = self._manifest()
        used = self._versions(manifest)
        if isinstance(self.inventory.get("versions"), dict):
            for digest in manifest - used:
                self._add("E107", f"no version uses the manifest entry {digest[:16]}…")
        self._fixity()

    def _add(self, code: str, message: str) -> None:
        self._issues.add(code, f"{self._where}: {message}")

    def _header(self) -> None:
        document = self.inventory
        for name in sorted(set(document) - _KEYS):
            self._add("E102", f"unknown key {name!r}")
        for name in ("id", "type", "digestAlgorithm", "head"):
            if name not in document:
                self._add("E036", f"{name} is missing")
        if "id" in document:
            if not isinstance(document["id"], str) or not document["id"]:
                self._add("E037", "id is not text")
            elif not _URI.fullmatch(document["id"]):
                self._add("W005", "id is not a URI")
        kind = document.get("type")
        if "type" in document and (not isinstance(kind, str) or not _TYPE.fullmatch(kind)):
            self._add("E038", "type is not that of an OCFL inventory")
        algorithm = document.get("digestAlgorithm")
        if "digestAlgorithm" in document and algorithm not in {"sha512", "sha256"}:
            self._add("E025", f"digestAlgorithm {algorithm!r} is not allowed")
        elif algorithm == "sha256":
            self._add("W004", "digestAlgorithm is not sha512")
        self._content_directory()

    def _content_directory(self) -> None:
        name = self.inventory.get("contentDirectory", "content")
        if not isinstance(name, str) or not name or "/" in name:
            self._add("E017", f"contentDirectory {name!r} is not one path segment")
        elif name in {".", ".."}:
            self._add("E018", f"contentDirectory is {name!r}")
        else:
            self.content_directory = name

    def _manifest(self) -> set[str]:
        manifest = self.inventory.get("manifest")
        if not isinstance(manifest, dict):
            self._add("E041", "there is no manifest")
            return set()
        self._no_repeated(manifest, "E096")
        paths: list[str] = []
        for digest, listed in manifest.items():
            if not isinstance(listed, list) or not listed:
                self._add("E092", f"the manifest entry {digest[:16]}… names no paths")
                continue
            paths.extend(path for path in listed if self._content_path(path))
        self._no_clash(paths, "E101")
        return set(manifest)

    def _content_path(self, path: object) -> bool:
        if not isinstance(path, str) or not path or path.startswith("/") or path.endswith("/"):
            self._add("E100", f"content path {path!r} begins or ends with a slash")
            return False
        segments = path.split("/")
        if any(segment in {"", ".", ".."} for segment in segments):
            self._add("E099", f"content path {path!r} has an empty, '.' or '..' segment")
            return False
        if len(segments) < 3 or not VERSION.fullmatch(segments[0]) or segments[1] != self.content_directory:
            self._add("E042", f"content path {path!r} is not below a version's content directory")
            return False
        return True

    def _versions(self, manifest: set[str]) -> set[str]:
        versions = self.inventory.get("versions")
        head = self.inventory.get("head")
        if not isinstance(versions, dict):
            self._add("E041" if "versions" not in self.inventory else "E044", "there is no block of versions")
            return set()
        if not versions:
            self._add("E008", "there is no version")
        names = [name for name in versions if VERSION.fullmatch(name) and number(name) > 0]
        for name in set(versions) - set(names):
            self._add("E046", f"{name!r} is not a version number")
        self._sequence(names)
        if "head" in self.inventory:
            latest = max(names, key=number, default=None)
            if not isinstance(head, str) or not VERSION.fullmatch(head):
                self._add("E040", f"head {head!r} is not a version number")
            elif head != latest:
                self._add("E040", f"head is {head}, the most recent version {latest}")
        used: set[str] = set()
        for name in names:
            used |= self._version(name, versions[name], manifest)
        return used

    def _sequence(self, names: list[str]) -> None:
        numbers = sorted(number(name) for name in names)
        if numbers and numbers[0] != 1:
            self._add("E009", "the first version is not 1")
        if numbers and numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            self._add("E010", "the version numbers are not continuous")
        padded = [name for name in names if name.startswith("v0")]
        if not padded:
            return
        if len(padded) != len(names):
            self._add("E011", "some version numbers are zero-padded and some are not")
            self._add("E013", "the version numbers change their padding")
        if len({len(name) for name in names}) > 1:
            self._add("E012", "the zero-padded version numbers have different lengths")
        self._add("W001", "the version numbers are zero-padded")

    def _version(self, name: str, block: object, manifest: set[str]) -> set[str]:
        if not isinstance(block, dict):
            self._add("E047", f"{name} is not an object")
            return set()
        for required in ("created", "state"):
            if required not in block:
                self._add("E048", f"{name} has no {required}")
        created = block.get("created")
        if "created" in block and not (isinstance(created, str) and _CREATED.fullmatch(created)):
            self._add("E049", f"created of {name} is not an RFC 3339 time with seconds and zone")
        if "message" in block and not isinstance(block["message"], str):
            self._add("E094", f"the message of {name} is not text")
        self._user(name, block)
        for missing in sorted({"message", "user"} - set(block)):
            self._add("W007", f"{name} has no {missing}")
        return self._state(name, block["state"], manifest) if "state" in block else set()

    def _user(self, name: str, block: dict[str, Any]) -> None:
        user = block.get("user")
        if "user" not in block:
            return
        if not isinstance(user, dict) or not isinstance(user.get("name"), str) or not user["name"]:
            self._add("E054", f"the user of {name} has no name")
        elif "address" not in user:
            self._add("W008", f"the user of {name} has no address")
        elif not isinstance(user["address"], str) or not _URI.fullmatch(user["address"]):
            self._add("W009", f"the address of the user of {name} is not a URI")

    def _state(self, name: str, state: object, manifest: set[str]) -> set[str]:
        if not isinstance(state, dict):
            self._add("E050", f"the state of {name} is not an object")
            return set()
        self._no_repeated(state, "E050")
        paths: list[str] = []
        for digest, listed in state.items():
            if digest not in manifest:
                self._add("E050", f"the state of {name} has {digest[:16]}…, which the manifest does not list")
            if not isinstance(listed, list):
                self._add("E051", f"the state of {name} names no paths for {digest[:16]}…")
                continue
            for path in listed:
                if not isinstance(path, str) or path.startswith("/") or path.endswith("/"):
                    self._add("E053", f"logical path {path!r} begins or ends with a slash")
                if not isinstance(path, str) or any(part in {"", ".", ".."} for part in path.split("/")):
                    self._add("E052", f"logical path {path!r} has an empty, '.' or '..' segment")
                else:
                    paths.append(path)
        self._no_clash(paths, "E095")
        return set(state)

    def _fixity(self) -> None:
        if "fixity" not in self.inventory:
            return
        fixity = self.inventory["fixity"]
        if not isinstance(fixity, dict):
            self._add("E111", "fixity is not an object")
            return
        known = {path for _, path in paths_of(self.inventory.get("manifest"))}
        for algorithm, block in fixity.items():
            if not isinstance(block, dict):
                self._add("E057", f"the fixity block {algorithm} is not an object")
                continue
            self._no_repeated(block, "E097")
            for _, path in paths_of(block):
                if self._content_path(path) and path not in known:
                    self._add("E057", f"the fixity block {algorithm} names {path!r}, which is not in the manifest")

    def _no_repeated(self, block: dict[str, Any], code: str) -> None:
        if len({digest.lower() for digest in block}) != len(block):
            self._add(code, "a digest stands twice")

    def _no_clash(self, paths: list[str], code: str) -> None:
        seen = set(paths)
        if len(seen) != len(paths):
            self._add(code, "a path stands twice")
        for path in seen:
            parent = path
            while "/" in parent:
                parent = parent.rpartition("/")[0]
                if parent in seen:
                    self._add(code, f"{parent!r} is both a file and a directory")
