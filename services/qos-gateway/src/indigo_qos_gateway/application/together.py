"""Many objects at a time: one question for all of them where a back-end can, a few at the same time where not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar, runtime_checkable

from indigo_qos_gateway.application.mounts import Mount, MountTable
from indigo_qos_gateway.domain.arrival import Arrived
from indigo_qos_gateway.domain.errors import StorageDamage
from indigo_qos_gateway.domain.storage import ObjectType, Status, StepState

_AT_ONCE = 16
"""Questions to one storage at the same time."""

_STARTS = 32
"""Steps that are begun at the same time: a storage may take those that come together in one request."""

T = TypeVar("T")
R = TypeVar("R")

Ends = Mapping[str, Arrived | Exception | None]
"""How steps ended, by path; ``None`` for one that has to be started again. Those that are missing run."""


@runtime_checkable
class Together(Protocol):
    """What a back-end may offer besides ``ports.Backend``: its steps run in this process, many at a time.

    Nothing of them has to be remembered: after the process ended, the same steps are begun again.
    """

    async def statuses(self, paths: Sequence[str]) -> Sequence[Status | Exception | None]:
        """What is at each of the paths, in their order, or why nobody knows.

        ``None`` for one that has to be asked about by itself.
        """
        ...

    async def begin(self, paths: Sequence[str], target: str) -> Mapping[str, Exception]:
        """Begin to bring these to a class, those that are at it too; the ones that are refused."""
        ...

    async def ended(self, paths: Sequence[str], patience: float) -> Ends:
        """The steps that are over; waits up to ``patience`` seconds for all of them."""
        ...

    async def stop(self, paths: Sequence[str]) -> None:
        """Stop the steps at these paths."""
        ...


@dataclass(frozen=True, slots=True)
class Many:
    """Steps of many objects anywhere in the tree."""

    mounts: MountTable

    async def statuses(self, paths: Iterable[str]) -> dict[str, Status | Exception]:
        """What is at each of the paths, or why nobody knows."""
        found: dict[str, Status | Exception] = {}
        for mount, there in self._by_mount(paths):
            if isinstance(mount.backend, Together):
                seen = await mount.backend.statuses([mount.inner(path) for path in there])
                for path, each in zip(there, seen, strict=True):
                    if each is not None:
                        found[path] = each.at(path) if isinstance(each, Status) else each
            found |= await ask_each([path for path in there if path not in found], mount.status)
        return found

    async def begin(self, wanted: Mapping[str, str]) -> dict[str, str | Exception]:
        """Begin to bring every path to its class: the handles of the steps, by path, or why there is none.

        An empty handle is one nobody has to remember.
        """
        begun: dict[str, str | Exception] = {}
        for mount, paths in self._by_mount(wanted):
            backend = mount.backend
            if isinstance(backend, Together):
                for target in {wanted[path] for path in paths}:
                    there = [path for path in paths if wanted[path] == target]
                    refused = await backend.begin([mount.inner(path) for path in there], target)
                    begun |= {path: refused.get(mount.inner(path), "") for path in there}
            else:
                begun |= await start_each(mount, wanted, paths)
        return begun

    async def ended(self, handles: Mapping[str, str], patience: float) -> Ends:
        """The steps that are over; waits for them up to ``patience`` seconds.

        What comes back as ``Arrived`` was read back: by the step itself, or here.
        """
        over: dict[str, Arrived | Exception | None] = {}
        for mount, paths in self._by_mount(handles):
            backend = mount.backend
            if isinstance(backend, Together):
                found = await backend.ended([mount.inner(path) for path in paths], patience)
                for path in paths:
                    if mount.inner(path) in found:
                        end = found[mount.inner(path)]
                        over[path] = _at(end, path) if isinstance(end, Arrived) else end
                continue
            # Steps end about in the order they began: when the last one is over, most are.
            *others, last = paths
            asked = await ask_each([last], partial(_polled, mount, handles, patience))
            asked |= await ask_each(others, partial(_polled, mount, handles, 0.0))
            for path, answer in asked.items():
                if answer is not StepState.RUNNING:
                    over[path] = None if isinstance(answer, StepState) else answer
        return over

    async def stop(self, handles: Mapping[str, str]) -> dict[str, Exception]:
        """Stop these steps; why that is not sure of some."""
        unclear: dict[str, Exception] = {}
        for mount, paths in self._by_mount(handles):
            backend = mount.backend
            if isinstance(backend, Together):
                await backend.stop([mount.inner(path) for path in paths])
                continue
            begun = [path for path in paths if handles[path]]
            ends = await ask_each(begun, partial(_cancelled, mount, handles))
            unclear |= {path: end for path, end in ends.items() if isinstance(end, Exception)}
        return unclear

    def _by_mount(self, paths: Iterable[str]) -> list[tuple[Mount, list[str]]]:
        found: dict[str, tuple[Mount, list[str]]] = {}
        for path in paths:
            mount = self.mounts.at(path)
            found.setdefault(mount.prefix, (mount, []))[1].append(path)
        return list(found.values())


async def start_each(mount: Mount, wanted: Mapping[str, str], paths: Iterable[str]) -> dict[str, str | Exception]:
    """Begin to bring paths of a mount to their classes: the handles of the steps, or why there is none."""
    return await ask_each(paths, partial(_started, mount, wanted), _STARTS)


async def _started(mount: Mount, wanted: Mapping[str, str], path: str) -> str:
    return await mount.backend.start(mount.inner(path), wanted[path])


async def _cancelled(mount: Mount, handles: Mapping[str, str], path: str) -> None:
    await mount.backend.cancel(mount.inner(path), handles[path])


async def _polled(mount: Mount, handles: Mapping[str, str], patience: float, path: str) -> Arrived | StepState:
    """What became of a step; what a storage says is done is read back."""
    progress = await mount.backend.poll(mount.inner(path), handles[path], patience)
    if progress.state is StepState.FAILED:
        raise StorageDamage(progress.error or f"{path} did not change its class")
    if progress.state is not StepState.DONE:
        return progress.state
    status = await mount.status(path)
    if status.object_type is ObjectType.CONTAINER:
        return Arrived(status)
    return Arrived(status, await mount.backend.digest(mount.inner(path)))


def _at(arrived: Arrived, path: str) -> Arrived:
    status = arrived.status.at(path)
    return arrived if status is arrived.status else replace(arrived, status=status)


async def ask_each(
    items: Iterable[T], ask: Callable[[T], Awaitable[R]], at_once: int = _AT_ONCE
) -> dict[T, R | Exception]:
    """``ask`` about every item, a few at the same time: the answers, or what was raised instead, by item."""
    asked = list(items)
    slots = asyncio.Semaphore(at_once)

    async def one(item: T) -> R | Exception:
        async with slots:
            try:
                return await ask(item)
            except Exception as error:  # noqa: BLE001 - whatever one object raises is its own failure
                return error

    return dict(zip(asked, await asyncio.gather(*(one(item) for item in asked)), strict=True))
