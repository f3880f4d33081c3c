"""OneData: storage classes are requirements of quality, which the providers fulfil by replicating."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import httpx
from indigo_contracts.qos import Locality
from indigo_kernel.ids import new_id
from indigo_kernel.problems import Conflict, Unavailable

from indigo_qos_gateway.adapters.classes import Place, interchangeable
from indigo_qos_gateway.adapters.fixity import compared
from indigo_qos_gateway.adapters.http.remote import part_of
from indigo_qos_gateway.adapters.names import HIDDEN, checked, checked_below_root, hidden
from indigo_qos_gateway.adapters.onedata.api import CLASS, SHA256, Entry, OneData, Requirement, found
from indigo_qos_gateway.adapters.spool import spooled
from indigo_qos_gateway.domain.errors import Busy, ObjectNotFound
from indigo_qos_gateway.domain.paths import ROOT, join, lineage, name, parent
from indigo_qos_gateway.domain.storage import (
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

_DONE = "done"
_LOOKS = 10
_STATES = {"fulfilled": StepState.DONE, "impossible": StepState.FAILED}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A class: replicas on storages that fulfil an expression of OneData."""

    expression: str
    replicas: int
    attributes: Mapping[str, Attribute]


class OneDataBackend:
    """Implements ``application.ports.Backend``. Files without a requirement are at ``landing_class``.

    A requirement lives in OneData, and so does a change of class: it survives a restart of the gateway.
    ``again_seconds`` is the time between looks at one.
    """

    kind = "OneData"

    def __init__(
        self,
        name: str,
        api: OneData,
        offered: Mapping[str, Wanted],
        landing_class: str,
        place: Place,
        *,
        again_seconds: float = 5.0,
    ) -> None:
        self.name = name
        self.landing_class = landing_class
        self._api = api
        self._offered = offered
        self._place = place
        self._again = again_seconds

    @property
    def site(self) -> str | None:
        return self._place.site

    def classes(self) -> Sequence[StorageClass]:
        known = {name: each.attributes for name, each in self._offered.items()}
        return interchangeable({self.landing_class: {}, **known}, self._place)

    async def status(self, path: str) -> Status:
        entry = found(await self._api.entry(checked(path)), path)
        attributes = await self._api.attributes(entry.file_id)
        if entry.container:
            name = str(attributes.get(CLASS, self.landing_class))
            return container_status(path, name, entry.modified)
        name = self._class_of(await self._api.requirements(entry.file_id))
        replicas = await self._api.replicas(entry.file_id, entry.size)
        sha256 = attributes.get(SHA256)
        return Status(
            path=path,
            object_type=ObjectType.DATAOBJECT,
            storage_class=name,
            locality=Locality.DISK,
            size=entry.size,
            modified=entry.modified,
            sha256=sha256 if isinstance(sha256, str) else None,
            provided={
                **(self._offered[name].attributes if name in self._offered else {}),
                **self._place.attributes(),
                "cdmi_data_redundancy": str(replicas),
            },
        )

    async def children(self, path: str) -> Sequence[Child]:
        entry = found(await self._api.entry(checked(path)), path)
        if not entry.container:
            raise ObjectNotFound(path)
        children = [each for each in await self._api.children(entry.file_id, path) if not hidden(each.name)]
        return [
            Child(each.name, ObjectType.CONTAINER if each.container else ObjectType.DATAOBJECT)
            for each in sorted(children, key=lambda each: each.name)
        ]

    async def read(self, path: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        async with AsyncExitStack() as stack:
            response = await self._opened(path, start, stop, stack)
            if response is not None:
                async for chunk in part_of(self.name, response, start, stop):
                    yield chunk

    async def _opened(
        self, path: str, start: int, stop: int | None, stack: AsyncExitStack
    ) -> httpx.Response | None:
        """The bytes of the file that has the path now; ``None`` behind its end. Raises ``ObjectNotFound``."""
        for _ in range(_LOOKS):
            entry = found(await self._api.entry(checked_below_root(path)), path)
            if entry.container:
                raise Conflict(f"{path} is a container")
            if start >= entry.size:
                return None
            response = await stack.enter_async_context(self._api.get(entry.file_id, path, start, stop))
            if response.is_success:
                return response
            # Another file got the name since it was looked up.
        raise Busy(path)

    async def write(self, path: str, chunks: AsyncIterable[bytes], expected: Content | None = None) -> Content:
        """The file comes under a hidden name, and gets its own when it is whole."""
        async with spooled(checked_below_root(path), chunks, expected) as spool:
            entry = await self._api.entry(path)
            if entry is not None and entry.container:
                raise Conflict(f"{path} is a container")
            await self._check_no_object_above(path)
            draft = join(parent(path), f"{HIDDEN}.upload-{new_id()}")
            file_id = await self._api.create(draft, "REG")
            if file_id is None:
                raise Unavailable(f"{self.name} does not make a file for {path}")
            try:
                await self._api.put(file_id, spool)
                await self._api.set_attributes(file_id, {SHA256: spool.content.sha256})
                await self._api.move(draft, path)
            except BaseException:
                with suppress(ObjectNotFound):
                    await self._api.delete(file_id, draft)
                raise
            return spool.content

    async def make_container(self, path: str) -> bool:
        entry = await self._api.entry(checked(path))
        if entry is None:
            await self._check_no_object_above(path)
            return await self._api.create(path, "DIR") is not None
        if not entry.container:
            raise Conflict(f"{path} is a data object")
        return False

    async def delete(self, path: str) -> None:
        await self._api.delete(found(await self._api.entry(checked_below_root(path)), path).file_id, path)

    async def digest(self, path: str) -> str | None:
        status = await self.status(path)
        return await compared(path, self.read(path), status.sha256)

    async def start(self, path: str, target: str) -> str:
        entry = found(await self._api.entry(checked(path)), path)
        if entry.container:
            await self._api.set_attributes(entry.file_id, {CLASS: target})
            return _DONE
        own = await self._own(entry)
        for each in own:
            if each.status == "pending":
                if self._name(each) != target:
                    raise Busy(path)
                return each.identifier
        if self._class_of(own) == target:
            return _DONE
        if target == self.landing_class:
            for each in own:
                await self._api.withdraw(each.identifier)
            return _DONE
        wanted = self._offered[target]
        return await self._api.require(entry.file_id, wanted.expression, wanted.replicas)

    async def poll(self, path: str, handle: str, patience: float) -> Progress:
        if handle == _DONE:
            return Progress(StepState.DONE)
        end = time.monotonic() + patience
        while True:
            requirement = await self._api.requirement(handle)
            if requirement is None:
                return Progress(StepState.UNKNOWN)
            state = _STATES.get(requirement.status, StepState.RUNNING)
            if state is not StepState.RUNNING:
                break
            left = end - time.monotonic()
            if left <= 0:
                return Progress(StepState.RUNNING)
            await asyncio.sleep(min(left, self._again))
        if state is StepState.FAILED:
            await self._api.withdraw(handle)
            return Progress(state, f"no storages of {self.name} fulfil {requirement.expression}")
        # Only now: until the new replicas are there, the old ones are the only ones.
        for each in await self._own(found(await self._api.entry(path), path)):
            if each.identifier != handle:
                await self._api.withdraw(each.identifier)
        return Progress(StepState.DONE)

    async def cancel(self, path: str, handle: str) -> None:  # noqa: ARG002 - a requirement has one file
        if handle != _DONE:
            await self._api.withdraw(handle)

    async def health(self) -> BackendHealth:
        try:
            there = await self._api.entry(ROOT) is not None
        except Unavailable as error:
            return BackendHealth(usable=False, notes=(error.detail,))
        return BackendHealth(usable=there, notes=() if there else ("the space is not there",))

    async def close(self) -> None:
        await self._api.close()

    async def _own(self, entry: Entry) -> list[Requirement]:
        """The requirements of one file that stand for classes: neither inherited ones nor those of others."""
        return [
            each
            for each in await self._api.requirements(entry.file_id)
            if each.file_id == entry.file_id and self._name(each) is not None
        ]

    def _class_of(self, requirements: Sequence[Requirement]) -> str:
        names = {self._name(each) for each in requirements if each.status == "fulfilled"}
        return next((name for name in self._offered if name in names), self.landing_class)

    def _name(self, requirement: Requirement) -> str | None:
        for each, wanted in self._offered.items():
            if (wanted.expression, wanted.replicas) == (requirement.expression, requirement.replicas):
                return each
        return None

    async def _check_no_object_above(self, path: str) -> None:
        for above in lineage(parent(path)):
            entry = await self._api.entry(above)
            if entry is not None:
                if not entry.container:
                    raise Conflict(f"A data object is in the way of {path}: {name(above)}")
                return
