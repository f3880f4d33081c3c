"""Two tiers and the ways between them: migrate, recall, release.

What a file is, is read from the file itself: its blocks and attributes. Each way ends in one rename or one
attribute, so a process killed anywhere leaves the file at its old or its new class, readable.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable

from indigo_contracts.qos import Locality

from indigo_qos_gateway.adapters.classes import DISK_AND_TAPE, DISK_ONLY, Place
from indigo_qos_gateway.adapters.posix.attributes import COPY, MIGRATED, RECALL, SHA256
from indigo_qos_gateway.adapters.posix.migration import Migration, Migrator, mark, replace_by_stub
from indigo_qos_gateway.adapters.posix.seen import Seen, look, status_of
from indigo_qos_gateway.adapters.posix.tape import TapeTier, Watch, chunks, write_all
from indigo_qos_gateway.adapters.posix.tree import Held, Tree
from indigo_qos_gateway.domain.arrival import Arrived
from indigo_qos_gateway.domain.errors import StorageDamage
from indigo_qos_gateway.domain.storage import Status


class Tiers:
    """Moves files of ``disk`` to ``tape`` and back; both are at ``place``."""

    def __init__(self, disk: Tree, tape: TapeTier, place: Place) -> None:
        self._disk = disk
        self._tape = tape
        self._place = place
        self._migrator = Migrator(disk, tape)

    def status(self, path: str) -> Status:
        """What the file or directory at a path is. Raises ``ObjectNotFound``."""
        with self._disk.opened(path) as fd:
            return status_of(self._disk.attributes, self._place, path, fd)

    def bring(self, path: str, target: str, watch: Watch) -> Arrived:
        """Bring a file to the class ``target``. Raises ``StorageDamage``, ``Busy``, or what ``watch`` raises."""
        sha256 = self._brought(path, target, watch)
        return Arrived(self.status(path), sha256)

    def _brought(self, path: str, target: str, watch: Watch) -> str:
        """The SHA-256 of every copy the class promises."""
        with self._disk.held(path) as held:
            seen = look(self._disk.attributes, held.fd)
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
                migration = Migration(held, seen, target == DISK_AND_TAPE, watch)
                self._migrator.migrate([migration])
                if migration.error is not None:
                    raise migration.error
                return migration.sha256
        return self.digest(path, watch)

    def digest(self, path: str, watch: Watch) -> str:
        """SHA-256 of the copies the class promises. Raises ``StorageDamage`` when one is missing or differs."""
        with self._disk.opened(path) as fd:
            seen = look(self._disk.attributes, fd)
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
            self._disk.give_up(held.fd, seen.copy)
            self._disk.attributes.remove(held.fd, COPY)

    def _release_disk(self, held: Held, seen: Seen, watch: Watch) -> None:
        """The tape copy is read again before the one on disk goes."""
        copy, sha256 = _known(seen.copy, held.path), _digest(chunks(held.fd, watch))
        if self._tape.digest(copy, watch, held.path) != sha256 or seen.sha256 not in {None, sha256}:
            raise StorageDamage(f"The copies of {held.path} on disk and on tape differ")
        replace_by_stub(self._disk, held, seen, copy, sha256)

    def _release_tape(self, held: Held, seen: Seen, watch: Watch) -> None:
        """The disk copy is read again before the one on tape goes."""
        if seen.sha256 is not None and _digest(chunks(held.fd, watch)) != seen.sha256:
            raise StorageDamage(f"{held.path} on disk does not have the bytes that were migrated")
        attributes = self._disk.attributes
        attributes.remove(held.fd, MIGRATED)
        os.fsync(held.fd)
        self._disk.give_up(held.fd, _known(seen.copy, held.path))
        attributes.remove(held.fd, COPY)

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
                    mark(self._disk, fd, seen.mtime_ns, {COPY: copy, SHA256: sha256})
                else:
                    os.utime(fd, ns=(seen.mtime_ns, seen.mtime_ns))
                    os.fsync(fd)
                self._disk.replace(held, draft, keep_copy=keep_copy)
        except BaseException:
            attributes.remove(held.fd, RECALL)
            raise


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
