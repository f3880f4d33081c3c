"""The tape tier: a directory that stands for the pool of a hierarchical storage manager.

Copies have names of their own, which the file on disk knows, so that a new copy never overwrites an old one.
A copy says in its extended attribute which path it was made for, where the file system has such.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from indigo_kernel.ids import new_id

from indigo_qos_gateway.domain.errors import StorageDamage

CHUNK = 1 << 20
_OF = "user.indigo.path"
_COPY = re.compile(r"[0-9a-f-]{36}")

Watch = Callable[[], None]
"""Called between chunks; raises to stop the work."""


class TapeTier:
    """Copies below ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._directory = os.fspath(root)

    def prepare(self) -> None:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def check(self) -> None:
        """Raise ``OSError`` unless the tier can be written to."""
        probe = self._root / f".probe-{os.getpid()}"
        probe.write_bytes(b"health")
        probe.unlink()

    def _path(self, copy: str) -> str:
        return f"{self._drawer(copy)}/{copy}"

    def _drawer(self, copy: str) -> str:
        # A Path costs as much as the file operations on it.
        return f"{self._directory}/{copy[-2:]}"

    def create(self, copy: str, of: str) -> int:
        """A descriptor of a new empty copy, which the caller fills and closes; ``commit`` makes its name last."""
        path = self._path(copy)
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(path, flags, 0o600)
        except FileNotFoundError:
            with suppress(FileExistsError):
                os.mkdir(self._drawer(copy), 0o700)  # noqa: PTH102 - as below
            fd = os.open(path, flags, 0o600)
        with suppress(OSError):  # without it every file that names the copy is taken for its owner
            os.setxattr(fd, _OF, of.encode())
        return fd

    def made_for(self, copy: str) -> str | None:
        """The path a copy was made for; ``None`` when nobody knows."""
        try:
            return os.getxattr(self._path(copy), _OF).decode(errors="replace")
        except OSError:
            return None

    def commit(self, copies: Iterable[str]) -> None:
        """Have the names of new copies survive a loss of power."""
        for directory in {self._drawer(copy) for copy in copies}:
            sync_directory(directory)
        sync_directory(self._directory)

    def read(self, copy: str, of: str, watch: Watch) -> Iterator[bytes]:
        """The bytes of a copy. Raises ``StorageDamage`` when it is missing."""
        try:
            fd = os.open(self._path(copy), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise StorageDamage(f"The tape copy of {of} is missing") from None
        try:
            # What is in the page cache is what was written, not what the medium holds.
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            yield from chunks(fd, watch)
        finally:
            os.close(fd)

    def digest(self, copy: str, watch: Watch, of: str = "the object") -> str:
        """SHA-256 of a copy, read from the medium. Raises ``StorageDamage`` when it is missing."""
        digest = hashlib.sha256()
        for chunk in self.read(copy, of, watch):
            digest.update(chunk)
        return digest.hexdigest()

    def remove(self, copy: str) -> None:
        """Remove a copy; it need not be there."""
        with suppress(FileNotFoundError):
            os.unlink(self._path(copy))  # noqa: PTH108 - as above


def is_copy(name: str | None) -> bool:
    """Whether this can be the name of a copy: who can write to a file can have it name any path."""
    return name is not None and _COPY.fullmatch(name) is not None


def new_drawer() -> str:
    """Which of the 256 directories a group of copies goes to, so that one has to be synchronized for all."""
    return new_id()[-2:]


def new_copy(drawer: str) -> str:
    """A name nothing has; its end is the directory it is in."""
    return new_id()[:-2] + drawer


def chunks(fd: int, watch: Watch) -> Iterator[bytes]:
    """The bytes of an open file from its beginning."""
    offset = 0
    while chunk := os.pread(fd, CHUNK, offset):
        watch()
        yield chunk
        offset += len(chunk)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte; ``os.write`` may take fewer."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_directory(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
