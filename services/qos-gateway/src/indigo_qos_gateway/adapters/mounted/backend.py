"""A back-end whose files are in a mounted file system, and are moved by programs of a storage manager."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from indigo_contracts.qos import Locality
from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.adapters.classes import UNKNOWN
from indigo_qos_gateway.adapters.fixity import compared, sha256_of
from indigo_qos_gateway.adapters.hsm.backend import Seen
from indigo_qos_gateway.adapters.posix.attributes import CLASS, SHA256
from indigo_qos_gateway.adapters.posix.files import Files
from indigo_qos_gateway.adapters.posix.seen import modified
from indigo_qos_gateway.adapters.posix.tree import Tree, is_directory
from indigo_qos_gateway.adapters.steps import Steps
from indigo_qos_gateway.adapters.threads import Threads
from indigo_qos_gateway.domain.errors import Busy, Impossible, ObjectNotFound, Offline, StorageDamage
from indigo_qos_gateway.domain.storage import (
    BackendHealth,
    Child,
    Content,
    ObjectType,
    Progress,
    Status,
    StorageClass,
    container_status,
)

_STEPS = 256
"""A recall that waits for its tape costs nothing, and those that wait are ordered."""


class Manager(Protocol):
    """The programs of one kind of storage manager."""

    @property
    def landing_class(self) -> str:
        """The class of a file right after it was written."""
        ...

    def classes(self) -> Sequence[StorageClass]: ...

    def check_name(self, path: Path) -> None:
        """Raise ``BadRequest`` for a name the programs cannot be told."""
        ...

    async def seen(self, path: Path) -> Seen:
        """What the storage says about a file. What nobody can read is unknown, and no error.

        Unknown and on disk is a file on its way between two classes: it can be brought to any.
        """
        ...

    async def bring(self, path: Path, target: str, seen: Seen) -> None:
        """Have a file at another class; returns when the programs say it is.

        ``StorageDamage`` may be of another file that was brought with this one: the caller looks. Programs that
        carry this one among others go on when it is cancelled.
        """
        ...

    async def close(self) -> None:
        """Stop the programs that run."""
        ...

    async def check(self) -> None:
        """Raise ``Unavailable`` unless the programs work."""
        ...


class _NoCopies:
    """Copies on tape belong to the storage manager, which finds out by itself that a file is gone."""

    def prepare(self) -> None:
        """There is no place for them here."""

    def made_for(self, copy: str) -> str | None:  # noqa: ARG002 - as below
        """Nobody knows."""
        return None

    def remove(self, copy: str) -> None:
        """Whoever made a file name one: there is none here to remove."""


class MountedBackend:
    """Implements ``application.ports.Backend`` below ``root``, a directory of the mounted file system."""

    def __init__(self, name: str, kind: str, site: str | None, root: Path, manager: Manager) -> None:
        self.name = name
        self.kind = kind
        self.site = site
        self._root = root
        self._manager = manager
        self._tree = Tree(root, _NoCopies())
        self._threads = Threads(name)
        self._files = Files(self._tree, _readable, self._threads)
        self._steps = Steps(_STEPS)

    @property
    def landing_class(self) -> str:
        return self._manager.landing_class

    def classes(self) -> Sequence[StorageClass]:
        return self._manager.classes()

    async def status(self, path: str) -> Status:
        await self._files.prepare()
        info, container_class, sha256 = await self._threads.look(self._stat, path)
        if container_class is not None:
            return container_status(path, container_class, modified(info))
        seen = await self._manager.seen(self._real(path))
        known = self._class(seen.storage_class)
        return Status(
            path=path,
            object_type=ObjectType.DATAOBJECT,
            storage_class=seen.storage_class,
            locality=seen.locality,
            size=info.st_size,
            modified=modified(info),
            sha256=sha256,
            recalling=seen.recalling,
            provided={} if known is None else known.metadata,
        )

    async def children(self, path: str) -> Sequence[Child]:
        await self._files.prepare()
        return await self._files.children(path)

    async def read(self, path: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        status = await self.status(path)
        # The file system would recall the file and keep the reader waiting.
        if status.object_type is ObjectType.DATAOBJECT and not status.readable:
            raise Offline(path, recalling=status.recalling)
        async for chunk in self._files.read(path, start, stop):
            yield chunk

    async def write(self, path: str, chunks: AsyncIterable[bytes], expected: Content | None = None) -> Content:
        await self._files.prepare()
        self._manager.check_name(self._real(path))
        return await self._files.write(path, chunks, expected)

    async def make_container(self, path: str) -> bool:
        await self._files.prepare()
        self._manager.check_name(self._real(path))
        return await self._files.make_container(path)

    async def delete(self, path: str) -> None:
        await self._files.prepare()
        await self._files.delete(path)

    async def digest(self, path: str) -> str | None:
        status = await self.status(path)
        if status.damaged:
            raise StorageDamage(f"{path} is {status.locality.value} in {self.name}")
        if not status.readable:
            return status.sha256
        return await compared(path, self._files.read(path, 0, None), status.sha256)

    async def start(self, path: str, target: str) -> str:
        await self._files.prepare()

        async def run() -> None:
            await self._bring(path, target)

        return self._steps.start(path, target, run)

    async def poll(self, path: str, handle: str, patience: float) -> Progress:  # noqa: ARG002 - the handle suffices
        return await self._steps.poll(handle, patience)

    async def cancel(self, path: str, handle: str) -> None:  # noqa: ARG002 - the handle suffices
        await self._steps.cancel(handle)

    async def health(self) -> BackendHealth:
        try:
            await self._files.prepare()
            await self._manager.check()
        except OSError:
            return BackendHealth(usable=False, notes=("the file system cannot be used",))
        except Unavailable as error:
            return BackendHealth(usable=False, notes=(error.detail,))
        return BackendHealth(usable=True)

    async def close(self) -> None:
        await self._steps.close()
        await self._manager.close()
        self._threads.close()

    async def _bring(self, path: str, target: str) -> None:
        if await self._threads.change(self._files.set_container_class, path, target):
            return
        real = self._real(path)
        seen = await self._manager.seen(real)
        if seen.storage_class == target:
            return
        here = self._class(seen.storage_class)
        astray = seen.storage_class == UNKNOWN and seen.locality is Locality.DISK
        if not astray and (here is None or target not in here.allowed):
            raise Impossible(f"{self.name} has no way from {seen.storage_class} to {target}")
        if seen.locality in {Locality.DISK, Locality.DISK_AND_TAPE}:
            info, _, _ = await self._threads.look(self._stat, path)
            sha256 = await sha256_of(self._files.read(path, 0, None))
            await self._threads.change(self._record, path, info.st_mtime_ns, sha256)
        failed: StorageDamage | None = None
        try:
            await self._manager.bring(real, target, seen)
        except StorageDamage as error:
            failed = error  # of the others it was brought with, perhaps
        now = await self._manager.seen(real)
        if now.storage_class != target:
            still = f"{path} still is at {now.storage_class} after it was brought to {target}"
            raise failed or StorageDamage(still)

    def _class(self, name: str) -> StorageClass | None:
        """The class of data objects with this name; ``None`` for what nobody can read."""
        offered = (each for each in self.classes() if each.object_type is ObjectType.DATAOBJECT)
        return next((each for each in offered if each.name == name), None)

    def _real(self, path: str) -> Path:
        return self._root / path[1:]

    def _stat(self, path: str) -> tuple[os.stat_result, str | None, str | None]:
        """Size and time, the class of a container, and the SHA-256 on record unless the file was written to since.

        Raises ``ObjectNotFound``, and never follows a link.
        """
        with self._tree.opened(path) as fd:
            info = os.fstat(fd)
            if is_directory(fd):
                return info, self._tree.attributes.get(fd, CLASS) or self.landing_class, None
            mtime, _, sha256 = (self._tree.attributes.get(fd, SHA256) or "").partition(" ")
            return info, None, sha256 if sha256 and mtime == str(info.st_mtime_ns) else None

    def _record(self, path: str, mtime_ns: int, sha256: str) -> None:
        """Note the SHA-256 of the bytes a file had at a time: on tape nobody can compute it.

        Raises ``Busy`` when it was written to since, ``StorageDamage`` when another one is on record.
        """
        info, container_class, known = self._stat(path)
        if container_class is not None:
            raise ObjectNotFound(path)
        if info.st_mtime_ns != mtime_ns:
            raise Busy(path)
        if known not in {None, sha256}:
            raise StorageDamage(f"{path} has SHA-256 {sha256}, {known} was written")
        with self._tree.opened(path) as fd:
            self._tree.attributes.set(fd, SHA256, f"{mtime_ns} {sha256}")


def _readable(path: str, fd: int) -> None:
    """Whether a file can be read is asked before it is opened."""
