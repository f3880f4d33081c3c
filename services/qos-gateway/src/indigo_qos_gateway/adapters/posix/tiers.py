"""Two tiers and the ways between them: migrate, recall, release.

What a file is, is read from the file itself: its blocks and attributes. Each way ends in one rename or one
attribute, so a process killed anywhere leaves the file at its old or its new class, readable.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from indigo_contracts.qos import Locality
from indigo_kernel.ids import new_id

from indigo_qos_gateway.adapters.classes import DISK_AND_TAPE, DISK_ONLY, TAPE_ONLY
from indigo_qos_gateway.adapters.posix.attributes import COPY, MIGRATED, RECALL, SHA256, STUB
from indigo_qos_gateway.adapters.posix.tape import TapeTier, Watch, chunks, write_all
from indigo_qos_gateway.adapters.posix.tree import Held, Tree
from indigo_qos_gateway.domain.errors import StorageDamage


@dataclass(frozen=True, slots=True)
class Seen:
    """One file as it is on the two tiers."""

    size: int
    mtime_ns: int
    stub: bool
    migrated: bool
    sha256: str | None
    copy: str | None
    recalling: bool

    @property
    def storage_class(self) -> str:
        if self.stub:
            return TAPE_ONLY
        return DISK_AND_TAPE if self.migrated else DISK_ONLY

    @property
    def locality(self) -> Locality:
        if self.stub:
            return Locality.TAPE if self.migrated else Locality.LOST
        return Locality.DISK_AND_TAPE if self.migrated else Locality.DISK


class Tiers:
    """Moves files of ``disk`` to ``tape`` and back."""

    def __init__(self, disk: Tree, tape: TapeTier) -> None:
        self._disk = disk
        self._tape = tape

    def seen(self, fd: int) -> Seen:
        """Look at an open file."""
        info = os.fstat(fd)
        attributes = self._disk.attributes
        mark = attributes.get(fd, MIGRATED)
        hollow = info.st_size > 0 and info.st_blocks * 512 < info.st_size + _ATTRIBUTE_BLOCKS and _no_data(fd)
        # A stub somebody wrote into stays a stub: its bytes are on tape, not in the holes.
        stub = hollow or attributes.get(fd, STUB) is not None
        # A file on disk somebody wrote to since has a copy of other bytes. Values that are no number come
        # from other managers and only say that there is a copy.
        unchanged = stub or mark is None or not mark.isdecimal() or int(mark) == info.st_mtime_ns
        migrated = mark is not None and unchanged
        return Seen(
            size=info.st_size,
            mtime_ns=info.st_mtime_ns,
            stub=stub,
            migrated=migrated,
            sha256=attributes.get(fd, SHA256) if migrated else None,
            copy=attributes.get(fd, COPY),
            recalling=attributes.get(fd, RECALL) is not None,
        )

    def bring(self, path: str, target: str, watch: Watch) -> None:
        """Bring a file to the class ``target``. Raises ``StorageDamage``, ``Busy``, or what ``watch`` raises."""
        with self._disk.held(path) as held:
            seen = self.seen(held.fd)
            if seen.locality is Locality.LOST:
                raise StorageDamage(f"{path} is a stub without a tape copy")
            if seen.storage_class == target:
                self._tidy(held, seen)
            elif seen.stub:
                self._recall(held, seen, watch, keep_copy=target == DISK_AND_TAPE)
            elif target == DISK_ONLY:
                self._release_tape(held, seen, watch)
            elif seen.migrated:
                self._release_disk(held, seen, watch)
            else:
                self._migrate(held, seen, watch, keep_disk=target == DISK_AND_TAPE)

    def digest(self, path: str, watch: Watch) -> str:
        """SHA-256 of the copies the class promises. Raises ``StorageDamage`` when one is missing or differs."""
        with self._disk.opened(path) as fd:
            seen = self.seen(fd)
            found = set()
            if not seen.stub:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                found.add(_digest(chunks(fd, watch)))
            if seen.migrated or seen.stub:
                found.add(self._tape.digest(_known(seen.copy, path), watch, path))
        if len(found) > 1:
            raise StorageDamage(f"The copies of {path} on disk and on tape differ")
        return found.pop()

    def _tidy(self, held: Held, seen: Seen) -> None:
        """Finish what a process that died left of an earlier change."""
        self._disk.attributes.remove(held.fd, RECALL)
        if seen.storage_class == DISK_ONLY and seen.copy is not None:
            self._tape.remove(seen.copy)
            self._disk.attributes.remove(held.fd, COPY)

    def _migrate(self, held: Held, seen: Seen, watch: Watch, *, keep_disk: bool) -> None:
        attributes = self._disk.attributes
        copy = seen.copy or new_id()
        attributes.set(held.fd, COPY, copy)
        sha256 = self._tape.write(copy, held.fd, held.path, watch)
        if os.fstat(held.fd).st_mtime_ns != seen.mtime_ns:
            raise StorageDamage(f"{held.path} was written to while it was copied")
        if keep_disk:
            attributes.set(held.fd, SHA256, sha256)
            attributes.set(held.fd, MIGRATED, str(seen.mtime_ns))
            os.fsync(held.fd)
        else:
            self._stub(held, seen, copy, sha256)

    def _release_disk(self, held: Held, seen: Seen, watch: Watch) -> None:
        """The tape copy is read again before the one on disk goes."""
        copy, sha256 = _known(seen.copy, held.path), _digest(chunks(held.fd, watch))
        if self._tape.digest(copy, watch, held.path) != sha256 or seen.sha256 not in {None, sha256}:
            raise StorageDamage(f"The copies of {held.path} on disk and on tape differ")
        self._stub(held, seen, copy, sha256)

    def _release_tape(self, held: Held, seen: Seen, watch: Watch) -> None:
        """The disk copy is read again before the one on tape goes."""
        if seen.sha256 is not None and _digest(chunks(held.fd, watch)) != seen.sha256:
            raise StorageDamage(f"{held.path} on disk does not have the bytes that were migrated")
        attributes = self._disk.attributes
        attributes.remove(held.fd, MIGRATED)
        os.fsync(held.fd)
        self._tape.remove(_known(seen.copy, held.path))
        attributes.remove(held.fd, COPY)

    def _stub(self, held: Held, seen: Seen, copy: str, sha256: str) -> None:
        with self._disk.draft(_mode(held.fd)) as (draft, fd):
            os.ftruncate(fd, seen.size)
            self._mark(fd, seen.mtime_ns, {COPY: copy, SHA256: sha256, STUB: "1"})
            self._disk.replace(held, draft, keep_copy=True)

    def _recall(self, held: Held, seen: Seen, watch: Watch, *, keep_copy: bool) -> None:
        copy = _known(seen.copy, held.path)
        attributes = self._disk.attributes
        attributes.set(held.fd, RECALL, "1")
        try:
            with self._disk.draft(_mode(held.fd)) as (draft, fd):
                sha256 = _copy(self._tape.read(copy, held.path, watch), fd)
                if seen.sha256 not in {None, sha256} or os.fstat(fd).st_size != seen.size:
                    raise StorageDamage(f"The tape copy of {held.path} does not have the bytes that were migrated")
                if keep_copy:
                    self._mark(fd, seen.mtime_ns, {COPY: copy, SHA256: sha256})
                else:
                    os.utime(fd, ns=(seen.mtime_ns, seen.mtime_ns))
                    os.fsync(fd)
                self._disk.replace(held, draft, keep_copy=keep_copy)
        except BaseException:
            attributes.remove(held.fd, RECALL)
            raise

    def _mark(self, fd: int, mtime_ns: int, values: dict[str, str]) -> None:
        for name, value in values.items():
            self._disk.attributes.set(fd, name, value)
        os.utime(fd, ns=(mtime_ns, mtime_ns))
        self._disk.attributes.set(fd, MIGRATED, str(mtime_ns))
        os.fsync(fd)


_ATTRIBUTE_BLOCKS = 64 * 1024
"""Bytes of blocks that extended attributes may take: below that, the file is asked for its data."""


def _no_data(fd: int) -> bool:
    try:
        os.lseek(fd, 0, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return True
        raise
    return False


def _copy(source: Iterable[bytes], fd: int) -> str:
    digest = hashlib.sha256()
    for chunk in source:
        write_all(fd, chunk)
        digest.update(chunk)
    return digest.hexdigest()


def _digest(source: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in source:
        digest.update(chunk)
    return digest.hexdigest()


def _known(copy: str | None, path: str) -> str:
    if copy is None:
        raise StorageDamage(f"{path} is marked as migrated, but nothing says to which tape copy")
    return copy


def _mode(fd: int) -> int:
    return stat.S_IMODE(os.fstat(fd).st_mode)
