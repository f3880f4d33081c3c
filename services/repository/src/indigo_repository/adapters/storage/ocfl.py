"""An OCFL 1.1 storage root: one object per chain of records, one version per published record.

A version is built beside the root on the same file system, flushed, read back and compared, and then renamed
into place. A crash leaves either no version or a whole one: a new object appears with one rename; of a new
version of an object only the copies of its inventory in the object's root may lag, and ``recover``, or the next
write, brings them up from the version's directory, which is complete by then. Every method blocks.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import structlog
from indigo_kernel.ids import new_id

from indigo_repository.adapters.storage.durable import (
    forget_cached,
    fsync,
    fsync_directories,
    is_full,
    make_directories,
    room,
    write_new,
)
from indigo_repository.adapters.storage.ocfl_document import SIDECAR, Inventory, sidecar
from indigo_repository.adapters.storage.ocfl_layout import object_path, prepare_root
from indigo_repository.adapters.storage.ocfl_validate import digests_of, validate_object
from indigo_repository.application.ports import NewVersion
from indigo_repository.domain.errors import StorageFault, StorageUncertain

log = structlog.get_logger()

DECLARATION = "0=ocfl_object_1.1"
METADATA = "metadata/record.json"


class OcflStore:
    """The storage root at ``root``; ``work`` (same file system) holds what is being built, and the locks."""

    def __init__(self, root: Path, work: Path) -> None:
        self._root = root
        self._work = work
        self._building = work / "building"
        self._locks = work / "locks"
        self._prepared = False

    def prepare(self) -> None:
        """Make the directories that are missing; the first write does it, too.

        Raises ``ValueError`` when the root is no OCFL root of ours, or not on the file system of the work area.
        """
        if self._prepared:
            return
        prepare_root(self._root)
        for directory in (self._building, self._locks):
            directory.mkdir(parents=True, exist_ok=True)
        if self._root.stat().st_dev != self._building.stat().st_dev:
            raise ValueError(f"{self._root} and {self._work} must be on one file system")
        self._prepared = True

    def path(self, object_id: str, content_path: str) -> Path:
        return self._root / object_path(object_id) / content_path

    def open(self, object_id: str, content_path: str) -> BinaryIO:
        return self.path(object_id, content_path).open("rb")

    def problems(self, object_id: str) -> list[str]:
        issues = validate_object(self._root / object_path(object_id), digests=False)
        return [f"{issue.code}: {issue.message}" for issue in issues.errors]

    def write(self, version: NewVersion) -> dict[str, str]:
        self.prepare()
        home = self._root / object_path(version.object_id)
        with self._lock(_shard(home.name)):
            self._bring_up(home)
            inventory = self._inventory(home) or Inventory(version.object_id)
            if inventory.head >= version.number:
                return self._written_before(home, inventory, version)
            if inventory.head != version.number - 1:
                raise StorageFault(
                    f"{version.object_id} has {inventory.head} versions, {version.number} is asked for"
                )
            built = self._scratch(home)
            try:
                with room(), _faults(StorageFault):
                    self._build(built, inventory, version)
                    if inventory.head == 1:
                        self._place_object(built, home)
                    else:
                        (built / f"v{inventory.head}").rename(home / f"v{inventory.head}")
            finally:
                _remove(built)
            # From here on the version is there: what fails leaves it to the next try to confirm it.
            with _faults(StorageUncertain):
                fsync(home.parent)
                fsync(home)
                self._bring_up(home)
                self._check_placed(home, inventory)
            return _data(inventory, version.number)

    def recover(self) -> None:
        self.prepare()
        for left in self._building.iterdir():
            # whoever builds holds the lock its name begins with: what is left under the lock is abandoned
            with self._lock(left.name[:2]):
                _remove(left)
        for first in self._root.iterdir():
            if len(first.name) == 3 and first.is_dir():
                self._recover_below(first)

    def _recover_below(self, first: Path) -> None:
        for home in first.glob("???/???/*"):
            try:
                with self._lock(_shard(home.name)):
                    self._bring_up(home)
            except (OSError, StorageFault) as error:
                log.warning("ocfl.recovery_failed", object=str(home), error=str(error))
        with self._lock("placing"):
            # a crash between making the directories and the rename leaves them empty (E073)
            for parent, _, _ in os.walk(first, topdown=False):
                if not any(os.scandir(parent)):
                    Path(parent).rmdir()

    def _written_before(self, home: Path, inventory: Inventory, version: NewVersion) -> dict[str, str]:
        """A try that was not acknowledged wrote this version already: it is the same, or something is wrong."""
        wanted = {f"data/{file.logical}": file.digests.sha512 for file in version.files}
        there = {path: digest for path, digest in inventory.state(version.number).items() if path != METADATA}
        if wanted != there:
            raise StorageFault(f"version {version.number} of {version.object_id} is there with other files")
        with _faults(StorageUncertain):
            self._read_back(home, inventory, version.number)
        return _data(inventory, version.number)

    def _build(self, built: Path, inventory: Inventory, version: NewVersion) -> None:
        """Everything of the object's next version, below ``built``: a whole object when it is the first."""
        inventory.begin_version(
            created=version.created, message=version.message, user=version.user, user_uri=version.user_uri
        )
        built.mkdir()
        folder = built / f"v{inventory.head}"
        folder.mkdir()
        for file in version.files:
            fixity = {"sha256": file.digests.sha256, "md5": file.digests.md5}
            path = inventory.add(f"data/{file.logical}", file.digests.sha512, fixity)
            if path is not None:
                target = built / path
                target.parent.mkdir(parents=True, exist_ok=True)
                # A second name for the staged bytes; the first goes when the publication is recorded.
                os.link(file.source, target)
        path = inventory.add(METADATA, hashlib.sha512(version.metadata).hexdigest(), {})
        if path is not None:
            (built / path).parent.mkdir(parents=True, exist_ok=True)
            write_new(built / path, version.metadata)
        raw = inventory.raw()
        places = [folder, built] if inventory.head == 1 else [folder]
        for place in places:
            write_new(place / "inventory.json", raw)
            write_new(place / SIDECAR, sidecar(raw))
        if inventory.head == 1:
            write_new(built / DECLARATION, DECLARATION.removeprefix("0=").encode() + b"\n")
        fsync_directories(built)
        self._read_back(built, inventory, inventory.head, only_new=True)

    @staticmethod
    def _read_back(home: Path, inventory: Inventory, version: int, *, only_new: bool = False) -> None:
        """Compare what the storage gives back with what it was given. Raises ``StorageFault``."""
        expected = {
            inventory.content(version)[logical]: digest for logical, digest in inventory.state(version).items()
        }
        for content_path, digest in expected.items():
            if only_new and not content_path.startswith(f"v{version}/"):
                continue
            try:
                forget_cached(home / content_path)
                actual = digests_of(home / content_path, {"sha512"})["sha512"]
            except OSError as error:
                raise StorageFault(f"The storage does not give {content_path} back: {error.strerror}") from error
            if actual != digest:
                raise StorageFault(f"The storage gives other bytes back for {content_path} than it was given")

    def _place_object(self, built: Path, home: Path) -> None:
        with self._lock("placing"):
            make_directories(home.parent, self._root)
            built.rename(home)

    def _bring_up(self, home: Path) -> None:
        """Make the root inventory that of the latest version directory: it is complete when it is there."""
        if not home.is_dir():
            return
        versions = [int(path.name[1:]) for path in home.glob("v*") if path.name[1:].isdecimal()]
        if not versions:
            raise StorageFault(f"The object in {home.name} has no version")
        latest = home / f"v{max(versions)}"
        raw = _bytes(latest / "inventory.json")
        if raw is None or _bytes(latest / SIDECAR) != sidecar(raw):
            raise StorageFault(f"The inventory of {latest.name} of the object in {home.name} is damaged")
        stale = False
        for name, content in (("inventory.json", raw), (SIDECAR, sidecar(raw))):
            if _bytes(home / name) != content:
                stale = True
                scratch = self._scratch(home)
                try:
                    write_new(scratch, content)
                    scratch.replace(home / name)
                finally:
                    scratch.unlink(missing_ok=True)
        if stale:
            fsync(home)

    @staticmethod
    def _inventory(home: Path) -> Inventory | None:
        raw = _bytes(home / "inventory.json")
        if raw is None:
            return None
        if _bytes(home / SIDECAR) != sidecar(raw):
            raise StorageFault(f"The inventory of the object in {home.name} is damaged")
        return Inventory.parse(raw)

    def _check_placed(self, home: Path, inventory: Inventory) -> None:
        """The renames happened and every content path leads to a file. Raises ``StorageFault``."""
        raw = inventory.raw()
        if _bytes(home / "inventory.json") != raw or _bytes(home / SIDECAR) != sidecar(raw):
            raise StorageFault("The storage does not give the inventory back that it was given")
        for path in inventory.content(inventory.head).values():
            if not (home / path).is_file():
                raise StorageFault(f"The storage does not have {path}, which it was given")

    def _scratch(self, home: Path) -> Path:
        """A new name beside the root; it begins with the name of the lock of the object it is for."""
        return self._building / f"{_shard(home.name)}-{new_id()}"

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """One holder on this file system, across processes; a killed one leaves no lock."""
        with (self._locks / name).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@contextmanager
def _faults(kind: type[StorageFault]) -> Iterator[None]:
    """Tell an error of the file system, and a fault found inside, as ``kind``."""
    try:
        yield
    except StorageFault as error:
        raise kind(error.detail) from error
    except OSError as error:
        if kind is StorageFault and is_full(error):
            raise
        raise kind(f"The storage failed: {error.strerror}") from error


def _shard(digest: str) -> str:
    """Name of the lock of an object, by the digest that names its directory: objects share 256 locks."""
    return digest[:2]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _data(inventory: Inventory, version: int) -> dict[str, str]:
    """File key → content path; the metadata of the record is not among them."""
    content = inventory.content(version)
    return {path.removeprefix("data/"): content[path] for path in content if path != METADATA}
