"""The POSIX back-end: a disk directory, and a second directory that stands for the tape pool behind it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog
from indigo_contracts.qos import Locality
from indigo_kernel.ids import new_id
from indigo_kernel.problems import ChecksumMismatch, Conflict

from indigo_qos_gateway.adapters.posix.attributes import CLASS, ExtendedAttributes
from indigo_qos_gateway.adapters.posix.classes import DISK_ONLY, Place, attributes, offered
from indigo_qos_gateway.adapters.posix.tape import CHUNK, TapeTier, write_all
from indigo_qos_gateway.adapters.posix.tiers import Tiers
from indigo_qos_gateway.adapters.posix.tree import Tree
from indigo_qos_gateway.domain.errors import Busy, ObjectNotFound, Offline, StorageDamage
from indigo_qos_gateway.domain.paths import ROOT, join
from indigo_qos_gateway.domain.storage import (
    BackendHealth,
    Child,
    Content,
    ObjectType,
    Progress,
    Status,
    StepState,
    StorageClass,
)

log = structlog.get_logger()

P = ParamSpec("P")
R = TypeVar("R")


class _Stopped(Exception):
    """Somebody cancelled the step."""


@dataclass
class _Step:
    path: str
    target: str
    stop: threading.Event = field(default_factory=threading.Event)
    task: asyncio.Task[None] | None = None


class PosixBackend:
    """Implements ``application.ports.Backend``. Directories are made when they are first used.

    ``concurrency`` is how many steps of this process copy at the same time. A step that its process did not
    survive is unknown afterwards; the file system tells how far it came.
    """

    kind = "POSIX"
    landing_class = DISK_ONLY

    def __init__(self, name: str, disk: Path, tape: Path, place: Place, *, concurrency: int = 2) -> None:
        self.name = name
        self._place = place
        self._tape = TapeTier(tape)
        self._tree = Tree(disk, self._tape)
        self._tiers = Tiers(self._tree, self._tape)
        self._steps: dict[str, _Step] = {}
        self._slots = asyncio.Semaphore(concurrency)
        self._preparing = asyncio.Lock()
        self._prepared = False

    @property
    def site(self) -> str | None:
        return self._place.site

    def classes(self) -> Sequence[StorageClass]:
        return offered(self._place)

    async def status(self, path: str) -> Status:
        await self._prepare()
        return await asyncio.to_thread(self._status, path)

    async def children(self, path: str) -> Sequence[Child]:
        await self._prepare()
        found = await asyncio.to_thread(self._tree.entries, path)
        return [
            Child(name, ObjectType.CONTAINER if is_directory else ObjectType.DATAOBJECT)
            for name, is_directory in found
        ]

    async def read(self, path: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        await self._prepare()
        fd = await asyncio.to_thread(self._open_data, path)
        try:
            offset = start
            while stop is None or offset < stop:
                most = CHUNK if stop is None else min(CHUNK, stop - offset)
                chunk = await _settled(os.pread, fd, most, offset)
                if not chunk:
                    return
                offset += len(chunk)
                yield chunk
        finally:
            os.close(fd)

    async def write(self, path: str, chunks: AsyncIterable[bytes], expected: Content | None = None) -> Content:
        await self._prepare()
        if path == ROOT:
            raise Conflict("The root is a container")
        with self._tree.draft() as (draft, fd):
            digest, size = hashlib.sha256(), 0
            async for chunk in chunks:
                await _settled(write_all, fd, chunk)
                digest.update(chunk)
                size += len(chunk)
            content = Content(size, digest.hexdigest())
            if expected is not None and content != expected:
                raise ChecksumMismatch(
                    f"{path}: {content.size} bytes with SHA-256 {content.sha256} came,"
                    f" {expected.size} with {expected.sha256} were expected"
                )
            await _settled(self._put, draft, fd, path)
        return content

    async def make_container(self, path: str) -> bool:
        await self._prepare()
        return await asyncio.to_thread(self._make_container, path)

    async def delete(self, path: str) -> None:
        await self._prepare()
        await asyncio.to_thread(self._delete, path)

    async def digest(self, path: str) -> str:
        await self._prepare()
        return await asyncio.to_thread(self._tiers.digest, path, _go_on)

    async def start(self, path: str, target: str) -> str:
        await self._prepare()
        for handle, step in self._steps.items():
            if step.path == path:
                if step.target != target:
                    raise Busy(path)
                return handle
        handle, step = new_id(), _Step(path, target)
        self._steps[handle] = step
        step.task = asyncio.create_task(self._run(step))
        return handle

    async def poll(self, path: str, handle: str, patience: float) -> Progress:  # noqa: ARG002 - the handle suffices
        step = self._steps.get(handle)
        if step is None or step.task is None:
            return Progress(StepState.UNKNOWN)
        done, _ = await asyncio.wait([step.task], timeout=patience)
        if not done:
            return Progress(StepState.RUNNING)
        self._steps.pop(handle, None)
        error = step.task.exception()
        if error is None:
            return Progress(StepState.DONE)
        if isinstance(error, Busy | _Stopped):
            return Progress(StepState.UNKNOWN)
        if not isinstance(error, OSError | StorageDamage | ObjectNotFound):
            raise error
        return Progress(StepState.FAILED, str(error))

    async def cancel(self, path: str, handle: str) -> None:  # noqa: ARG002 - the handle suffices
        step = self._steps.get(handle)
        if step is not None and step.task is not None:
            step.stop.set()
            await asyncio.gather(step.task, return_exceptions=True)  # the file tells how far it came
            self._steps.pop(handle, None)

    async def health(self) -> BackendHealth:
        try:
            await self._prepare()
            extended = await asyncio.to_thread(self._check)
        except OSError as error:
            log.warning("backend.unusable", backend=self.name, error=str(error))
            return BackendHealth(usable=False, notes=("a directory of the tiers cannot be used",))
        if extended:
            return BackendHealth(usable=True)
        note = "the file system keeps no extended attributes: they are in files below .indigo/attributes"
        return BackendHealth(usable=True, notes=(note,))

    async def close(self) -> None:
        for step in self._steps.values():
            step.stop.set()
        tasks = [step.task for step in self._steps.values() if step.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        self._steps.clear()

    async def _prepare(self) -> None:
        if self._prepared:
            return
        async with self._preparing:
            if not self._prepared:
                await asyncio.to_thread(self._prepare_now)
                self._prepared = True

    def _prepare_now(self) -> None:
        self._tape.prepare()
        self._tree.prepare()
        swept = self._tree.sweep()
        if swept:
            log.info("backend.swept", backend=self.name, leftovers=swept)

    def _check(self) -> bool:
        with self._tree.draft() as (_, fd):
            write_all(fd, b"health")
        self._tape.check()
        return isinstance(self._tree.attributes, ExtendedAttributes)

    def _status(self, path: str) -> Status:
        with self._tree.opened(path) as fd:
            info = os.fstat(fd)
            modified = datetime.fromtimestamp(info.st_mtime_ns // 1000 / 1_000_000, UTC)
            if stat.S_ISDIR(info.st_mode):
                name = self._tree.attributes.get(fd, CLASS) or DISK_ONLY
                return Status(
                    path=path,
                    object_type=ObjectType.CONTAINER,
                    storage_class=name,
                    locality=Locality.DISK,
                    size=0,
                    modified=modified,
                    provided={"cdmi_default_dataobject_capability_class": name},
                )
            seen = self._tiers.seen(fd)
        return Status(
            path=path,
            object_type=ObjectType.DATAOBJECT,
            storage_class=seen.storage_class,
            locality=seen.locality,
            size=seen.size,
            modified=modified,
            sha256=seen.sha256,
            recalling=seen.recalling,
            provided={} if seen.locality is Locality.LOST else attributes(seen.storage_class, self._place),
        )

    def _open_data(self, path: str) -> int:
        """A descriptor the caller closes; a change of class behind it does not disturb the reader."""
        with self._tree.opened(path) as fd:
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                raise Conflict(f"{path} is a container")
            seen = self._tiers.seen(fd)
            if seen.stub:
                raise Offline(path, recalling=seen.recalling)
            return os.dup(fd)

    def _put(self, draft: Path, fd: int, path: str) -> None:
        os.fsync(fd)
        try:
            with self._tree.held(path) as held:
                if stat.S_ISDIR(os.fstat(held.fd).st_mode):
                    raise Conflict(f"{path} is a container")
                self._tree.replace(held, draft, keep_copy=False)
        except ObjectNotFound:
            self._tree.create(draft, path)

    def _make_container(self, path: str) -> bool:
        try:
            with self._tree.opened(path) as fd:
                if not stat.S_ISDIR(os.fstat(fd).st_mode):
                    raise Conflict(f"{path} is a data object")
            return False
        except ObjectNotFound:
            with self._tree.directory(path, make=True):
                return True

    def _delete(self, path: str) -> None:
        with self._tree.opened(path) as fd:
            container = stat.S_ISDIR(os.fstat(fd).st_mode)
        if not container:
            with self._tree.held(path) as held:
                self._tree.remove(held)
            return
        for name, _ in self._tree.entries(path):
            self._delete(join(path, name))
        self._tree.remove_directory(path)

    async def _run(self, step: _Step) -> None:
        async with self._slots:
            await asyncio.to_thread(self._bring, step)

    def _bring(self, step: _Step) -> None:
        def watch() -> None:
            if step.stop.is_set():
                raise _Stopped

        watch()
        with self._tree.opened(step.path) as fd:
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                self._tree.attributes.set(fd, CLASS, step.target)
                os.fsync(fd)
                return
        self._tiers.bring(step.path, step.target, watch)


async def _settled(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run ``work`` in a thread to its end, even when cancelled: it uses a descriptor the caller closes."""
    task = asyncio.create_task(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _go_on() -> None:
    """Nothing stops a reading."""
