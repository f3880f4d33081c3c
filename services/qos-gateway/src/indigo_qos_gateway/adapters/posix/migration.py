"""Migration: files get their copies on tape, many of them at once.

The parts that wait for a disk are done for all files of a group before the next part begins: the first
synchronization then writes what the others would have to, instead of each waiting for one of its own.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from indigo_qos_gateway.adapters.posix.attributes import COPY, MIGRATED, SHA256, STUB
from indigo_qos_gateway.adapters.posix.seen import Seen
from indigo_qos_gateway.adapters.posix.tape import TapeTier, Watch, chunks, new_copy, new_drawer, write_all
from indigo_qos_gateway.adapters.posix.tree import Held, Tree
from indigo_qos_gateway.domain.errors import StorageDamage


@dataclass(slots=True, eq=False)
class Migration:
    """One file on its way to tape. ``keep_disk`` is false when a stub shall take its place.

    In the end there is either an ``error``, or ``sha256``: of the bytes as they were read from disk, which were
    found again in the copy when that was read from its medium.
    """

    held: Held
    seen: Seen
    keep_disk: bool
    watch: Watch
    copy: str = ""
    fd: int = -1
    sha256: str = ""
    error: Exception | None = None


class Migrator:
    """Makes the copies on ``tape`` of files on ``disk``."""

    def __init__(self, disk: Tree, tape: TapeTier) -> None:
        self._disk = disk
        self._tape = tape

    def migrate(self, group: Sequence[Migration]) -> None:
        """Bring every file of the group to tape; what goes wrong with one is its ``error`` and stops no other.

        A file is marked as migrated after its copy was synchronized, read back and compared.
        """
        drawer = new_drawer()
        for each in group:
            each.copy = new_copy(drawer)
            _from_medium(each.held.fd)
        try:
            going = self._all(group, self._copy)
            going = self._all(going, _synchronize)
            if going:
                self._tape.commit(each.copy for each in going)
            for each in going:
                _from_medium(each.fd)
            going = self._all(going, _compare)
            going = self._all(going, self._mark)
            self._all(going, _synchronize_source)
        finally:
            for each in group:
                if each.fd >= 0:
                    os.close(each.fd)

    def _all(self, group: Iterable[Migration], part: Callable[[Migration], None]) -> list[Migration]:
        """Do a part for every file; those it went well for."""
        well = []
        for each in group:
            try:
                part(each)
            except Exception as error:  # noqa: BLE001 - whatever one file raises is its own failure
                each.error = error
            else:
                well.append(each)
        return well

    def _copy(self, each: Migration) -> None:
        each.watch()
        known = each.seen.copy
        # Over the copy of another file, whose attributes somebody copied, nothing is written.
        if known is not None and self._disk.owns(each.held.fd, known):
            each.copy = known
        else:
            # Written before the copy is, so that no copy is ever nobody's.
            self._disk.attributes.set(each.held.fd, COPY, each.copy)
        each.fd = self._tape.create(each.copy, each.held.path)
        digest = hashlib.sha256()
        for chunk in chunks(each.held.fd, each.watch):
            write_all(each.fd, chunk)
            digest.update(chunk)
        each.sha256 = digest.hexdigest()
        # Has the system begin to write, without waiting for it.
        os.posix_fadvise(each.fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def _mark(self, each: Migration) -> None:
        fd, seen = each.held.fd, each.seen
        if not each.keep_disk:
            replace_by_stub(self._disk, each.held, seen, each.copy, each.sha256)
            return
        check_unchanged(each.held, seen)
        self._disk.attributes.set(fd, SHA256, each.sha256)
        self._disk.attributes.set(fd, MIGRATED, str(seen.mtime_ns))


def replace_by_stub(disk: Tree, held: Held, seen: Seen, copy: str, sha256: str) -> None:
    """Let a sparse file take the place of one that is on tape. Raises ``StorageDamage`` as ``check_unchanged``."""
    with disk.draft(stat.S_IMODE(os.fstat(held.fd).st_mode)) as (draft, fd):
        os.ftruncate(fd, seen.size)
        mark(disk, fd, seen.mtime_ns, {COPY: copy, SHA256: sha256, STUB: "1"})
        # As late as can be: what others write to a file that is replaced is gone.
        check_unchanged(held, seen)
        disk.replace(held, draft, keep_copy=True)


def check_unchanged(held: Held, seen: Seen) -> None:
    """Raise ``StorageDamage`` when somebody wrote to a file since it was looked at."""
    if os.fstat(held.fd).st_mtime_ns != seen.mtime_ns:
        raise StorageDamage(f"{held.path} was written to while it was copied")


def mark(disk: Tree, fd: int, mtime_ns: int, values: dict[str, str]) -> None:
    """Say of a new file that it is on tape, with the modification time it had."""
    for name, value in values.items():
        disk.attributes.set(fd, name, value)
    os.utime(fd, ns=(mtime_ns, mtime_ns))
    disk.attributes.set(fd, MIGRATED, str(mtime_ns))
    os.fsync(fd)


def _from_medium(fd: int) -> None:
    """Have the bytes read anew: what is in the page cache is what was written, not what the medium holds."""
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_WILLNEED)


def _synchronize(each: Migration) -> None:
    os.fsync(each.fd)


def _synchronize_source(each: Migration) -> None:
    if each.keep_disk:
        os.fsync(each.held.fd)


def _compare(each: Migration) -> None:
    """Read the copy back and compare it with what was read from disk."""
    digest = hashlib.sha256()
    for chunk in chunks(each.fd, each.watch):
        digest.update(chunk)
    if digest.hexdigest() != each.sha256:
        raise StorageDamage(f"The tape copy of {each.held.path} does not have the bytes that were written")
