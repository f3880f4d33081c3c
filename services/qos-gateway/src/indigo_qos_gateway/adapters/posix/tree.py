"""A directory tree that nobody gets out of: every name is opened below its parent's descriptor, links never.

Changes are prepared in a hidden work directory of the same file system and come into the tree by one rename.
Who changes a file holds a lock on its inode; a prepared file is locked before it takes the other's place.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from indigo_kernel.ids import new_id
from indigo_kernel.problems import BadRequest, Conflict

from indigo_qos_gateway.adapters.names import HIDDEN
from indigo_qos_gateway.adapters.posix.attributes import (
    COPY,
    Attributes,
    ExtendedAttributes,
    Sidecars,
    supports_extended_attributes,
)
from indigo_qos_gateway.adapters.posix.tape import is_copy
from indigo_qos_gateway.domain.errors import Busy, ObjectNotFound
from indigo_qos_gateway.domain.paths import ROOT, name, parent

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A FIFO in the tree must not make the opening wait.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG}
_DROP = "drop-"
_FRESH_SECONDS = 60.0
_ITSELF = "."
"""The root is its own parent."""


@dataclass(frozen=True, slots=True)
class Held:
    """A file of the tree whose lock this process has."""

    path: str
    fd: int


class Copies(Protocol):
    """Copies on tape, by the names files keep of them."""

    def prepare(self) -> None:
        """Have a place for them. Raises ``OSError`` when there can be none."""
        ...

    def made_for(self, copy: str) -> str | None:
        """The path a copy was made for; ``None`` when nobody knows."""
        ...

    def remove(self, copy: str) -> None: ...


class Tree:
    """The disk tier below ``root``. ``tape`` is told when an inode with a tape copy goes away for good."""

    def __init__(self, root: Path, tape: Copies) -> None:
        self._root = root
        self._hidden = root / HIDDEN
        self.work = self._hidden / "work"
        self._tape = tape
        self._attributes: Attributes | None = None

    def prepare(self) -> None:
        """Make the directories, and find out what the file system can. Raises ``OSError`` when it is unusable."""
        self._tape.prepare()
        sidecars = self._hidden / "attributes"
        for directory in (self._root, self.work, sidecars):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        extended = supports_extended_attributes(self._root)
        self._attributes = ExtendedAttributes() if extended else Sidecars(sidecars)

    @property
    def attributes(self) -> Attributes:
        assert self._attributes is not None, "the tree is prepared before it is used"
        return self._attributes

    @contextmanager
    def directory(self, path: str, *, make: bool = False) -> Iterator[int]:
        """An open directory. With ``make`` it and its parents are made. Raises ``ObjectNotFound``."""
        fd = os.open(self._root, _DIRECTORY)
        try:
            for segment in _segments(path):
                if make:
                    fd = _made(fd, segment, path)
                    continue
                try:
                    below = os.open(segment, _DIRECTORY, dir_fd=fd)
                except OSError as error:
                    if error.errno in _ABSENT:
                        raise ObjectNotFound(path) from None
                    raise
                os.close(fd)
                fd = below
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def opened(self, path: str) -> Iterator[int]:
        """An open file or directory. Raises ``ObjectNotFound``, also for what is neither."""
        with self.directory(parent(path)) as above:
            fd = open_in(above, path)
        try:
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def held(self, path: str) -> Iterator[Held]:
        """The file at ``path``, locked. Raises ``ObjectNotFound``, or ``Busy`` when another holds it."""
        with self.directory(parent(path)) as above:
            held = hold(above, path)
        try:
            yield held
        finally:
            os.close(held.fd)

    def entries(self, path: str) -> list[tuple[str, bool]]:
        """Names in a directory, and whether each is a directory; only files and directories count."""
        with self.directory(path) as fd:
            return self.entries_of(fd, path)

    def entries_of(self, fd: int, path: str) -> list[tuple[str, bool]]:
        """The same for a directory that is open."""
        with os.scandir(fd) as found:
            return [
                (each.name, directory)
                for each in found
                if ((directory := each.is_dir(follow_symlinks=False)) or each.is_file(follow_symlinks=False))
                and not (path == ROOT and each.name == HIDDEN)
                and each.name.isprintable()
            ]

    @contextmanager
    def draft(self, mode: int = 0o600) -> Iterator[tuple[Path, int]]:
        """A new locked file in the work directory; what is still there at the end of the block is removed."""
        path = self.work / new_id()
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            lock(fd, str(path))
            self.attributes.clear(fd)
            os.fchmod(fd, mode)
            yield path, fd
        finally:
            with suppress(FileNotFoundError):
                path.unlink()
            os.close(fd)

    def create(self, draft: Path, path: str) -> None:
        """Let a draft become ``path``. Raises ``Busy`` when something came to be there in the meantime."""
        _check_visible(path)
        with self.directory(parent(path), make=True) as above:
            try:
                # A link never overwrites: what it would replace may have a copy on tape.
                os.link(draft, name(path), dst_dir_fd=above)
            except FileExistsError:
                raise Busy(path) from None
            os.fsync(above)

    def replace(self, held: Held, draft: Path, *, keep_copy: bool) -> None:
        """Let a draft take the place of the held file. Without ``keep_copy`` its tape copy goes too.

        The old inode gets a second name first, which says what is left to do should this process die.
        """
        old = self.work / (new_id() if keep_copy else _DROP + new_id())
        with self.directory(parent(held.path)) as above:
            os.link(name(held.path), old, src_dir_fd=above, follow_symlinks=False)
            os.rename(draft, name(held.path), dst_dir_fd=above)
            os.fsync(above)
        self._discard(old, held.fd)

    def remove(self, held: Held) -> None:
        """Remove the held file from the tree and its copy from tape."""
        old = self.work / (_DROP + new_id())
        with self.directory(parent(held.path)) as above:
            os.rename(name(held.path), old, src_dir_fd=above)
            os.fsync(above)
        self._discard(old, held.fd)

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory. Raises ``Conflict`` when it is not."""
        with self.directory(path) as fd:
            self.attributes.clear(fd)
        with self.directory(parent(path)) as above:
            try:
                os.rmdir(name(path), dir_fd=above)
            except OSError as error:
                if error.errno == errno.ENOTEMPTY:
                    raise Conflict(f"Something was stored in {path} while it was being deleted") from None
                raise
            os.fsync(above)

    def owns(self, fd: int, copy: str) -> bool:
        """Whether a tape copy is this file's, and not that of another one whose attributes somebody copied."""
        path = self._tape.made_for(copy)
        if path is None:
            return True
        try:
            with self.opened(path) as there:
                return os.path.samestat(os.fstat(there), os.fstat(fd)) or self.attributes.get(there, COPY) != copy
        except (ObjectNotFound, BadRequest):
            return True

    def give_up(self, fd: int, copy: str) -> None:
        """Remove the tape copy of a file, unless it is another file's."""
        if self.owns(fd, copy):
            self._tape.remove(copy)

    def _discard(self, old: Path, fd: int) -> None:
        if os.fstat(fd).st_nlink == 1:  # else somebody linked the file: what belongs to it stays with that name
            copy = self.attributes.get(fd, COPY)
            if old.name.startswith(_DROP) and copy is not None and is_copy(copy):
                self.give_up(fd, copy)
            self.attributes.clear(fd)
        old.unlink()

    def sweep(self, fresh_seconds: float = _FRESH_SECONDS) -> int:
        """Finish what processes that died left in the work directory; how many things that were."""
        swept = 0
        for path in self.work.iterdir():
            with suppress(FileNotFoundError, Busy):  # another process sweeps or works on it
                if time.time() - path.lstat().st_ctime < fresh_seconds:
                    continue  # perhaps made a moment ago and not locked yet
                fd = os.open(path, _FILE)
                try:
                    lock(fd, str(path))
                    self._discard(path, fd)
                    swept += 1
                finally:
                    os.close(fd)
        return swept


def open_in(above: int, path: str) -> int:
    """A descriptor of the file or directory ``path``, whose parent is open; the caller closes it.

    Raises ``ObjectNotFound``, also for what is neither.
    """
    _check_visible(path)
    try:
        fd = os.open(name(path) or _ITSELF, _FILE, dir_fd=above)
    except OSError as error:
        if error.errno in _ABSENT:
            raise ObjectNotFound(path) from None
        raise
    mode = os.fstat(fd).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        os.close(fd)
        raise ObjectNotFound(path)
    return fd


def hold(above: int, path: str) -> Held:
    """The locked file ``path``, whose parent is open; the caller closes it. Raises as ``Tree.held``."""
    fd = open_in(above, path)
    try:
        lock(fd, path)
        try:
            there = os.stat(name(path) or _ITSELF, dir_fd=above, follow_symlinks=False)
        except FileNotFoundError:
            raise ObjectNotFound(path) from None
        if there.st_ino != os.fstat(fd).st_ino:
            raise Busy(path)  # replaced between opening and locking
    except BaseException:
        os.close(fd)
        raise
    return Held(path, fd)


def is_directory(fd: int) -> bool:
    return stat.S_ISDIR(os.fstat(fd).st_mode)


def lock(fd: int, path: str) -> None:
    """Take the lock of an inode; it ends with the descriptor. Raises ``Busy``."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy(path) from None


def _segments(path: str) -> list[str]:
    _check_visible(path)
    return path.split("/")[1:] if path != ROOT else []


def _check_visible(path: str) -> None:
    if path != ROOT and any(segment in {"", ".", ".."} for segment in path.split("/")[1:]):
        raise BadRequest(f"{path!r} is not a normalized path")
    if path == f"/{HIDDEN}" or path.startswith(f"/{HIDDEN}/"):
        raise BadRequest(f"The name /{HIDDEN} is used by the storage itself")


def _made(above: int, segment: str, path: str) -> int:
    """Open a directory, making it when it is missing, and close the one above."""
    with suppress(FileExistsError):
        os.mkdir(segment, 0o700, dir_fd=above)
        os.fsync(above)
    try:
        below = os.open(segment, _DIRECTORY, dir_fd=above)
    except NotADirectoryError:
        raise Conflict(f"A data object is in the way of {path}") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Conflict(f"A symbolic link is in the way of {path}") from None
        raise
    os.close(above)
    return below
