"""The POSIX back-end: a disk directory, and a second directory that stands for the tape pool behind it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from pathlib import Path

import structlog
from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.adapters.classes import DISK_ONLY, Place, offered
from indigo_qos_gateway.adapters.posix.attributes import ExtendedAttributes
from indigo_qos_gateway.adapters.posix.drives import Drives, Stopped
from indigo_qos_gateway.adapters.posix.files import Files
from indigo_qos_gateway.adapters.posix.groups import Groups
from indigo_qos_gateway.adapters.posix.movers import Movers
from indigo_qos_gateway.adapters.posix.seen import look
from indigo_qos_gateway.adapters.posix.small_files import SmallFiles, Storage
from indigo_qos_gateway.adapters.posix.tape import TapeTier, write_all
from indigo_qos_gateway.adapters.posix.tiers import Tiers
from indigo_qos_gateway.adapters.posix.tree import Tree
from indigo_qos_gateway.adapters.threads import Threads
from indigo_qos_gateway.application.coalesced import Coalesced
from indigo_qos_gateway.domain.arrival import Arrived
from indigo_qos_gateway.domain.errors import Busy, ObjectNotFound, Offline, StorageDamage
from indigo_qos_gateway.domain.storage import (
    BackendHealth,
    Child,
    Content,
    Progress,
    Status,
    StepState,
    StorageClass,
)

log = structlog.get_logger()

_READ_AT_ONCE = 4
"""Objects whose bytes are read at the same time to find out their checksums."""


class PosixBackend:
    """Implements ``application.ports.Backend`` and ``application.together.Together``.

    Directories are made when they are first used. ``concurrency`` is how many threads of this process copy at the
    same time. A step that its process did not survive is unknown afterwards; the file system tells how far it
    came.
    """

    kind = "POSIX"
    landing_class = DISK_ONLY

    def __init__(self, name: str, disk: Path, tape: Path, place: Place, *, concurrency: int = 2) -> None:
        self.name = name
        self._place = place
        self._classes = offered(place)
        self._tape = TapeTier(tape)
        self._tree = Tree(disk, self._tape)
        self._tiers = Tiers(self._tree, self._tape, place)
        self._threads = Threads(name)
        # Whole files are read here: nobody waits behind that to hear what an object is.
        self._reading = Threads(f"{name}-reading", most=_READ_AT_ONCE)
        self._files = Files(self._tree, self._check_readable, self._threads)
        small = SmallFiles(self._tree, self._tape, place)
        self._groups = Groups(self._files, self._tiers, small, Movers(Storage(disk, tape, place)))
        self._drives = Drives(concurrency, self._groups.bring)
        self._seen = Coalesced(self.statuses)

    @property
    def site(self) -> str | None:
        return self._place.site

    def classes(self) -> Sequence[StorageClass]:
        return self._classes

    async def status(self, path: str) -> Status:
        return await self._seen.get(path)

    async def children(self, path: str) -> Sequence[Child]:
        await self._files.prepare()
        return await self._files.children(path)

    async def read(self, path: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        await self._files.prepare()
        async for chunk in self._files.read(path, start, stop):
            yield chunk

    async def write(self, path: str, chunks: AsyncIterable[bytes], expected: Content | None = None) -> Content:
        await self._files.prepare()
        return await self._files.write(path, chunks, expected)

    async def make_container(self, path: str) -> bool:
        await self._files.prepare()
        return await self._files.make_container(path)

    async def delete(self, path: str) -> None:
        await self._files.prepare()
        await self._files.delete(path)

    async def digest(self, path: str) -> str:
        await self._files.prepare()
        gone = threading.Event()

        def watch() -> None:
            if gone.is_set():
                raise Stopped

        try:
            return await self._reading.run(self._tiers.digest, path, watch)
        finally:
            gone.set()

    async def start(self, path: str, target: str) -> str:
        await self._files.prepare()
        return self._drives.start(path, target).handle

    async def poll(self, path: str, handle: str, patience: float) -> Progress:  # noqa: ARG002 - the handle suffices
        step = self._drives.with_handle(handle)
        if step is None:
            return Progress(StepState.UNKNOWN)
        await self._drives.wait([step], patience)
        if not step.over.done():
            return Progress(StepState.RUNNING)
        end = self._drives.take(step)
        if end is None:
            return Progress(StepState.UNKNOWN)
        if isinstance(end, Arrived):
            return Progress(StepState.DONE)
        if isinstance(end, OSError | StorageDamage | ObjectNotFound):
            return Progress(StepState.FAILED, str(end))
        raise end

    async def cancel(self, path: str, handle: str) -> None:  # noqa: ARG002 - the handle suffices
        step = self._drives.with_handle(handle)
        if step is not None:
            await self._drives.cancel([step])

    async def statuses(self, paths: Sequence[str]) -> list[Status | Exception]:
        await self._files.prepare()
        return await self._threads.look(self._look, paths)

    async def begin(self, paths: Sequence[str], target: str) -> Mapping[str, Exception]:
        await self._files.prepare()
        refused: dict[str, Exception] = {}
        for path in paths:
            try:
                self._drives.start(path, target)
            except Busy as busy:
                refused[path] = busy
        return refused

    async def ended(self, paths: Sequence[str], patience: float) -> Mapping[str, Arrived | Exception | None]:
        steps = {path: self._drives.at(path) for path in paths}
        known = {path: step for path, step in steps.items() if step is not None}
        if len(known) == len(steps):
            await self._drives.wait(known.values(), patience)
        over: dict[str, Arrived | Exception | None] = {
            path: self._drives.take(step) for path, step in known.items() if step.over.done()
        }
        return over | dict.fromkeys(steps.keys() - known.keys())

    async def stop(self, paths: Sequence[str]) -> None:
        await self._drives.cancel([step for path in paths if (step := self._drives.at(path)) is not None])

    async def health(self) -> BackendHealth:
        try:
            await self._files.prepare()
            extended = await self._threads.look(self._check)
        except OSError as error:
            log.warning("backend.unusable", backend=self.name, error=str(error))
            return BackendHealth(usable=False, notes=("a directory of the tiers cannot be used",))
        except Unavailable as error:
            return BackendHealth(usable=False, notes=(error.detail,))
        if extended:
            return BackendHealth(usable=True)
        note = "the file system keeps no extended attributes: they are in files below .indigo/attributes"
        return BackendHealth(usable=True, notes=(note,))

    async def close(self) -> None:
        await self._drives.close()
        await self._threads.change(self._groups.close)
        self._threads.close()
        self._reading.close()

    def _check(self) -> bool:
        with self._tree.draft() as (_, fd):
            write_all(fd, b"health")
        self._tape.check()
        return isinstance(self._tree.attributes, ExtendedAttributes)

    def _look(self, paths: Sequence[str]) -> list[Status | Exception]:
        found: list[Status | Exception] = []
        for path in paths:
            try:
                found.append(self._tiers.status(path))
            except Exception as error:  # noqa: BLE001 - told to who asked about this path
                found.append(error)
        return found

    def _check_readable(self, path: str, fd: int) -> None:
        seen = look(self._tree.attributes, fd)
        if seen.stub:
            raise Offline(path, recalling=seen.recalling)
