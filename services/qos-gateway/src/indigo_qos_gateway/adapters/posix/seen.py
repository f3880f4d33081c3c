"""What a file is on the two tiers, read from the file itself: its blocks and attributes."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime

from indigo_contracts.qos import Locality

from indigo_qos_gateway.adapters.classes import DISK_AND_TAPE, DISK_ONLY, TAPE_ONLY, Place, attributes
from indigo_qos_gateway.adapters.posix.attributes import CLASS, COPY, MIGRATED, RECALL, SHA256, STUB, Attributes
from indigo_qos_gateway.adapters.posix.tape import is_copy
from indigo_qos_gateway.domain.storage import ObjectType, Status, container_status


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


def look(kept: Attributes, fd: int) -> Seen:
    """Look at an open file."""
    return _look(kept, fd, os.fstat(fd))


def status_of(kept: Attributes, place: Place, path: str, fd: int) -> Status:
    """What the open file or directory at a path is."""
    info = os.fstat(fd)
    if stat.S_ISDIR(info.st_mode):
        return container_status(path, kept.get(fd, CLASS) or DISK_ONLY, modified(info))
    seen = _look(kept, fd, info)
    return Status(
        path=path,
        object_type=ObjectType.DATAOBJECT,
        storage_class=seen.storage_class,
        locality=seen.locality,
        size=seen.size,
        modified=modified(info),
        sha256=seen.sha256,
        recalling=seen.recalling,
        provided={} if seen.locality is Locality.LOST else attributes(seen.storage_class, place),
    )


def modified(info: os.stat_result) -> datetime:
    """When a file was written to, to the microsecond."""
    return datetime.fromtimestamp(info.st_mtime_ns // 1000 / 1_000_000, UTC)


def _look(kept: Attributes, fd: int, info: os.stat_result) -> Seen:
    known = kept.known(fd)
    copy = known.get(COPY)
    mark = known.get(MIGRATED)
    hollow = info.st_size > 0 and info.st_blocks * 512 < info.st_size + _ATTRIBUTE_BLOCKS and _no_data(fd)
    # A stub somebody wrote into stays a stub: its bytes are on tape, not in the holes.
    stub = hollow or STUB in known
    # A file on disk somebody wrote to since has a copy of other bytes. Values that are no number come
    # from other managers and only say that there is a copy.
    unchanged = stub or mark is None or not mark.isdecimal() or mark == str(info.st_mtime_ns)
    migrated = mark is not None and unchanged
    return Seen(
        size=info.st_size,
        mtime_ns=info.st_mtime_ns,
        stub=stub,
        migrated=migrated,
        sha256=known.get(SHA256) if migrated else None,
        copy=copy if is_copy(copy) else None,
        recalling=RECALL in known,
    )


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
