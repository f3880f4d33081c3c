"""Files that survive a crash: write, flush to the disk, rename, flush the directory."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indigo_repository.domain.errors import StorageFull

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def is_full(error: OSError) -> bool:
    """Whether the error says "no space", "quota exceeded" or "file too large"."""
    return error.errno in _NO_ROOM


@contextmanager
def room() -> Iterator[None]:
    """Turn the errors of a full file system into ``StorageFull``."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise StorageFull from error
        raise


def fsync(path: Path) -> None:
    """Flush a file or a directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet, and flush it."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def make_directories(path: Path, below: Path) -> None:
    """Make the directories from ``below`` (which exists) down to ``path``, each flushed in its parent."""
    missing = []
    current = path
    while current != below and not current.is_dir():
        missing.append(current)
        current = current.parent
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        fsync(directory.parent)


def fsync_directories(root: Path) -> None:
    """Flush every directory of a tree, children first."""
    for parent, _, _ in os.walk(root, topdown=False):
        fsync(Path(parent))


def forget_cached(path: Path) -> None:
    """Ask the kernel to drop the file's pages, so that the next reading comes from the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
