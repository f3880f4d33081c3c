"""A back-end of a tape system: files behind a door or a program, and an API that manages its tape."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from indigo_contracts.qos import Locality
from indigo_kernel.ids import new_id
from indigo_kernel.problems import Conflict, Unavailable

from indigo_qos_gateway.adapters.classes import (
    DISK_AND_TAPE,
    DISK_ONLY,
    NAMES,
    TAPE_ONLY,
    UNKNOWN,
    Place,
    Ways,
    attributes,
    classes,
)
from indigo_qos_gateway.adapters.fixity import compared
from indigo_qos_gateway.adapters.hsm.files import RemoteFiles
from indigo_qos_gateway.domain.errors import Busy, Impossible, ObjectNotFound, Offline, StorageDamage
from indigo_qos_gateway.domain.paths import ROOT, below
from indigo_qos_gateway.domain.storage import (
    DAMAGED,
    Attribute,
    BackendHealth,
    Child,
    Content,
    ObjectType,
    Progress,
    Status,
    StepState,
    StorageClass,
    container_status,
)

CLASS_OF = {
    Locality.DISK: DISK_ONLY,
    Locality.DISK_AND_TAPE: DISK_AND_TAPE,
    Locality.TAPE: TAPE_ONLY,
}

WATCH = "watch-"
"""Begins the handle of a step that asks the storage for nothing: it moves files by itself, and is watched."""

_DONE = "done"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the storage says about one file now."""

    storage_class: str
    locality: Locality
    recalling: bool = False
    sha256: str | None = None
    provided: Mapping[str, Attribute] = field(default_factory=dict)
    """Attributes of this file, besides those of its class."""


def seen_at(locality: Locality, *, recalling: bool = False) -> Seen:
    """A file whose class follows from where its bytes are."""
    return Seen(CLASS_OF.get(locality, UNKNOWN), locality, recalling)


class Manager(Protocol):
    """The API of one kind of storage system. Requests live there: they survive a restart of the gateway."""

    async def seen(self, path: str) -> Seen:
        """Raises ``ObjectNotFound``."""
        ...

    async def start(self, path: str, target: str, seen: Seen) -> str | None:
        """Ask for a change; the name of the request, or ``None`` when the storage does it unasked."""
        ...

    async def poll(self, path: str, request: str) -> Progress:
        """How far a request is. ``DONE`` is what the storage claims; the caller looks whether it is so."""
        ...

    async def cancel(self, path: str, request: str) -> None:
        """Withdraw a request; it need not be there any more."""
        ...

    async def forget(self, path: str) -> None:
        """What was at a path and below it is gone: nobody asks for its requests any more."""
        ...

    async def check(self) -> None:
        """Raise ``Unavailable`` unless the API answers."""
        ...

    async def close(self) -> None: ...


Wait = Callable[[str, float], Awaitable[None]]
"""Returns after so many seconds, or sooner when the storage tells that something happened to the path."""


async def sleep(_: str, seconds: float) -> None:
    """Nothing is told: looks are all there is."""
    await asyncio.sleep(seconds)


class HsmBackend:
    """Implements ``application.ports.Backend``. ``again_seconds`` is the time between looks at a request.

    ``more`` are classes besides the three of a disk with a tape behind it, with what is known of them.
    """

    landing_class = DISK_ONLY

    def __init__(
        self,
        name: str,
        kind: str,
        files: RemoteFiles,
        manager: Manager,
        ways: Ways,
        place: Place,
        *,
        again_seconds: float = 5.0,
        wait: Wait = sleep,
        more: Mapping[str, Mapping[str, Attribute]] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.kind = kind
        self._files = files
        self._manager = manager
        self._ways = ways
        self._place = place
        self._again = again_seconds
        self._wait = wait
        self._known = {name: attributes(name, place) for name in NAMES} | {
            name: {**known, **place.attributes()} for name, known in more.items()
        }
        self._running: dict[str, tuple[str, str]] = {}

    @property
    def site(self) -> str | None:
        return self._place.site

    def classes(self) -> Sequence[StorageClass]:
        return classes(self._known, self._ways)

    async def status(self, path: str) -> Status:
        entry = await self._files.stat(path)
        if entry.container:
            name = await self._files.container_class(path)
            return container_status(path, name, entry.modified)
        seen = await self._manager.seen(path)
        target, _ = self._running.get(path, (None, None))
        if target == seen.storage_class:
            del self._running[path]  # over, and nobody need ask how it ended
        return Status(
            path=path,
            object_type=ObjectType.DATAOBJECT,
            storage_class=seen.storage_class,
            locality=seen.locality,
            size=entry.size,
            modified=entry.modified,
            sha256=seen.sha256,
            recalling=seen.recalling,
            provided={**self._known.get(seen.storage_class, {}), **seen.provided},
        )

    async def children(self, path: str) -> Sequence[Child]:
        return await self._files.children(path)

    async def read(self, path: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        status = await self.status(path)
        if status.object_type is ObjectType.CONTAINER:
            raise Conflict(f"{path} is a container")
        # The door would begin a recall and keep the reader waiting.
        if not status.readable:
            raise Offline(path, recalling=status.recalling)
        async for chunk in self._files.read(path, start, stop):
            yield chunk

    async def write(self, path: str, chunks: AsyncIterable[bytes], expected: Content | None = None) -> Content:
        return await self._files.write(path, chunks, expected)

    async def make_container(self, path: str) -> bool:
        return await self._files.make_container(path)

    async def delete(self, path: str) -> None:
        await self._files.delete(path)
        for gone in [each for each in self._running if below(each, path)]:
            del self._running[gone]
        await self._manager.forget(path)

    async def digest(self, path: str) -> str | None:
        status = await self.status(path)
        if status.damaged:
            raise StorageDamage(f"{path} is {status.locality.value} in {self.name}")
        if not status.readable:
            return status.sha256
        return await compared(path, self._files.read(path, 0, None), status.sha256)

    async def start(self, path: str, target: str) -> str:
        running = self._running.get(path)
        if running is not None:
            if running[0] != target:
                raise Busy(path)
            return running[1]
        if (await self._files.stat(path)).container:
            await self._files.set_container_class(path, target)
            return _DONE
        seen = await self._manager.seen(path)
        if seen.storage_class == target:
            return _DONE
        if target not in self._ways.get(seen.storage_class, ()):
            raise Impossible(f"{self.name} has no way from {seen.storage_class} to {target}")
        handle = await self._manager.start(path, target, seen) or WATCH + new_id()
        self._running[path] = (target, handle)
        return handle

    async def poll(self, path: str, handle: str, patience: float) -> Progress:
        end = time.monotonic() + patience
        while (progress := await self._progress(path, handle)).state is StepState.RUNNING:
            left = end - time.monotonic()
            if left <= 0:
                return progress
            await self._wait(path, min(left, self._again))
        self._running.pop(path, None)
        return progress

    async def cancel(self, path: str, handle: str) -> None:
        self._running.pop(path, None)
        if handle != _DONE and not handle.startswith(WATCH):
            await self._manager.cancel(path, handle)

    async def health(self) -> BackendHealth:
        try:
            await self._files.stat(ROOT)
            await self._manager.check()
        except (Unavailable, ObjectNotFound) as error:
            return BackendHealth(usable=False, notes=(error.detail,))
        return BackendHealth(usable=True)

    async def close(self) -> None:
        await self._manager.close()
        await self._files.close()

    async def _progress(self, path: str, handle: str) -> Progress:
        if handle == _DONE:
            return Progress(StepState.DONE)
        target, known = self._running.get(path, (None, None))
        if handle.startswith(WATCH):
            if handle != known:
                return Progress(StepState.UNKNOWN)
        else:
            progress = await self._manager.poll(path, handle)
            if progress.state is not StepState.DONE:
                return progress
        # Requests are done before the bytes are where they should be: what is observed counts.
        try:
            seen = await self._manager.seen(path)
        except ObjectNotFound as error:
            return Progress(StepState.FAILED, error.detail)
        if target is None:
            return Progress(StepState.UNKNOWN)  # of an earlier process: starting again finds out the rest
        if seen.locality in DAMAGED:
            return Progress(StepState.FAILED, f"{path} is {seen.locality.value} in {self.name}")
        return Progress(StepState.DONE if seen.storage_class == target else StepState.RUNNING)
