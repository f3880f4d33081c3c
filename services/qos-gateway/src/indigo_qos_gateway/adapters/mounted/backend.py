"""A back-end whose files are in a mounted file system, and are moved by programs of a storage manager."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from indigo_contracts.qos import Locality
from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.adapters.hsm.backend import Seen
from indigo_qos_gateway.adapters.posix.attributes import SHA256
from indigo_qos_gateway.adapters.posix.files import Files, is_directory, modified
from indigo_qos_gateway.adapters.posix.tree import Tree
from indigo_qos_gateway.adapters.steps import Steps
from indigo_qos_gateway.adapters.threads import Threads
from indigo_qos_gateway.domain.errors import Impossible, ObjectNotFound, Offline, StorageDamage
from indigo_qos_gateway.domain.storage import (
    Attribute,
    BackendHealth,
    Child,
    Content,
    ObjectType,
    Progress,
    Status,
    StorageClass,
)


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
        """What the storage says about a file. What nobody can read is unknown, and no error."""
        ...

    async def bring(self, path: Path, target: str, seen: Seen) -> None:
        """Have a file at another class; returns when the programs say it is. Cancelling stops them."""
        ...

    async def check(self) -> None:
        """Raise ``Unavailable`` unless the programs work."""
        ...


class _NoCopies:
    """Copies on tape belong to the storage manager, which finds out by itself that a file is gone."""

    def remove(self, copy: str) -> None:
        raise StorageDamage(f"A file of the mounted file system names the tape copy {copy}")


class MountedBackend:
    """Implements ``application.ports.Backend`` below ``root``, a directory of the mounted file system.

    ``concurrency`` is high: a recall that waits for its tape costs nothing, and those that wait are ordered.
    """

    def __init__(
        self, name: str, kind: str, site: str | None, root: Path, manager: Manager, *, concurrency: int = 256
    ) -> None:
        self.name = name
        self.kind = kind
        self.site = site
        self._root = root
        self._manager = manager
        self._tree = Tree(root, _NoCopies())
        self._threads = Threads(name)
        self._files = Files(self._tree, _readable, self._threads)
        self._steps = Steps(concurrency)
        self._preparing = asyncio.Lock()
        self._prepared = False

    @property
    def landing_class(self) -> str:
        return self._manager.landing_class

    def classes(self) -> Sequence[StorageClass]:
        return self._manager.classes()

    async def status(self, path: str) -> Status:
        await self._prepare()
        info, container_class = await self._threads.look(self._stat, path)
        if container_class is not None:
            return Status(
                path=path,
                object_type=ObjectType.CONTAINER,
                storage_class=container_class,
                locality=Locality.DISK,
                size=0,
                modified=modified(info),
                provided={"cdmi_default_dataobject_capability_class": container_class},
            )
        seen = await self._manager.seen(self._real(path))
        return Status(
            path=path,
            object_type=ObjectType.DATAOBJECT,
            storage_class=seen.storage_class,
            locality=seen.locality,
            size=info.st_size,
            modified=modified(info),
            sha256=await self._threads.look(self._recorded, path),
            recalling=seen.recalling,
            provided=self._provided(seen.storage_class),
        )

    async def children(self, path: str) -> Sequence[Child]:
        await self._prepare()
        return await self._files.children(path)

    async def read(self, path: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        status = await self.status(path)
        # The file system would recall the file and keep the reader waiting.
        if status.object_type is ObjectType.DATAOBJECT and not status.readable:
            raise Offline(path, recalling=status.recalling)
        async for chunk in self._files.read(path, start, stop):
            yield chunk

    async def write(self, path: str, chunks: AsyncIterable[bytes], expected: Content | None = None) -> Content:
        await self._prepare()
        self._manager.check_name(self._real(path))
        return await self._files.write(path, chunks, expected)

    async def make_container(self, path: str) -> bool:
        await self._prepare()
        self._manager.check_name(self._real(path))
        return await self._files.make_container(path)

    async def delete(self, path: str) -> None:
        await self._prepare()
        await self._files.delete(path)

    async def digest(self, path: str) -> str | None:
        status = await self.status(path)
        if status.locality in {Locality.LOST, Locality.NONE, Locality.UNAVAILABLE}:
            raise StorageDamage(f"{path} is {status.locality.value} in {self.name}")
        if not status.readable:
            return status.sha256
        sha256 = await self._hashed(path)
        if status.sha256 not in {None, sha256}:
            raise StorageDamage(f"{path} has SHA-256 {sha256}, {status.sha256} was on record")
        return sha256

    async def start(self, path: str, target: str) -> str:
        await self._prepare()

        async def run() -> None:
            await self._bring(path, target)

        return self._steps.start(path, target, run)

    async def poll(self, path: str, handle: str, patience: float) -> Progress:  # noqa: ARG002 - the handle suffices
        return await self._steps.poll(handle, patience)

    async def cancel(self, path: str, handle: str) -> None:  # noqa: ARG002 - the handle suffices
        await self._steps.cancel(handle)

    async def health(self) -> BackendHealth:
        try:
            await self._prepare()
            await self._manager.check()
        except OSError:
            return BackendHealth(usable=False, notes=("the file system cannot be used",))
        except Unavailable as error:
            return BackendHealth(usable=False, notes=(error.detail,))
        return BackendHealth(usable=True)

    async def close(self) -> None:
        await self._steps.close()
        self._threads.close()

    async def _prepare(self) -> None:
        async with self._preparing:
            if not self._prepared:
                await self._threads.look(self._tree.prepare)
                await self._threads.look(self._tree.sweep)
                self._prepared = True

    async def _bring(self, path: str, target: str) -> None:
        if await self._threads.change(self._files.set_container_class, path, target):
            return
        real = self._real(path)
        seen = await self._manager.seen(real)
        if seen.storage_class == target:
            return
        if target not in self._ways(seen.storage_class):
            raise Impossible(f"{self.name} has no way from {seen.storage_class} to {target}")
        if seen.locality in {Locality.DISK, Locality.DISK_AND_TAPE}:
            # On tape nobody can compute it.
            await self._threads.change(self._record, path, await self._hashed(path))
        await self._manager.bring(real, target, seen)
        now = await self._manager.seen(real)
        if now.storage_class != target:
            raise StorageDamage(f"{path} still is at {now.storage_class} after it was brought to {target}")

    async def _hashed(self, path: str) -> str:
        digest = hashlib.sha256()
        async for chunk in self._files.read(path, 0, None):
            digest.update(chunk)
        return digest.hexdigest()

    def _ways(self, name: str) -> Sequence[str]:
        for each in self.classes():
            if each.object_type is ObjectType.DATAOBJECT and each.name == name:
                return each.allowed
        return ()

    def _provided(self, name: str) -> dict[str, Attribute]:
        for each in self.classes():
            if each.object_type is ObjectType.DATAOBJECT and each.name == name:
                return dict(each.metadata)
        return {}

    def _real(self, path: str) -> Path:
        return self._root / path[1:]

    def _stat(self, path: str) -> tuple[os.stat_result, str | None]:
        """Size and time, and the class of a container. Raises ``ObjectNotFound``, and never follows a link."""
        with self._tree.opened(path) as fd:
            container = is_directory(fd)
            name = (self._files.container_class(fd) or self.landing_class) if container else None
            return os.fstat(fd), name

    def _recorded(self, path: str) -> str | None:
        """The SHA-256 on record, unless the file was written to since."""
        with self._tree.opened(path) as fd:
            mtime, _, sha256 = (self._tree.attributes.get(fd, SHA256) or "").partition(" ")
            return sha256 if sha256 and mtime == str(os.fstat(fd).st_mtime_ns) else None

    def _record(self, path: str, sha256: str) -> None:
        with self._tree.opened(path) as fd:
            if is_directory(fd):
                raise ObjectNotFound(path)
            self._tree.attributes.set(fd, SHA256, f"{os.fstat(fd).st_mtime_ns} {sha256}")


def _readable(path: str, fd: int) -> None:
    """Whether a file can be read is asked before it is opened."""
