"""One part of the tree kept by several back-ends: a mount whose objects others may take over.

It is itself a ``Backend``: everything that works on one works on several. The path of an object stays what it is;
where its bytes are is looked up at every question, because it may change between two of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from indigo_kernel.ids import new_id
from indigo_kernel.problems import Conflict, Unavailable

from indigo_qos_gateway.application.paging import Paged, page_among
from indigo_qos_gateway.application.ports import Backend, NewWork, Steps
from indigo_qos_gateway.application.relocating import Relocator, abandon, leave, place_lock
from indigo_qos_gateway.application.row_ports import PlaceViews
from indigo_qos_gateway.domain.errors import Busy, Impossible, ObjectNotFound
from indigo_qos_gateway.domain.paths import ROOT, join
from indigo_qos_gateway.domain.reach import Reach
from indigo_qos_gateway.domain.relocation import Place, Relocation, hidden_path, is_hidden
from indigo_qos_gateway.domain.storage import (
    DEFAULT_CLASS,
    BackendHealth,
    Child,
    Content,
    ObjectType,
    Progress,
    Status,
    StepState,
    StorageClass,
)

T = TypeVar("T")

_RELOCATION = "relocation "
"""Begins the handle of a step between back-ends; the other ones are the back-end's own."""

_NOTED = "noted"
"""The handle of a step that was over at once: the class of a container was noted."""


class JoinedBackend:
    """Implements ``application.ports.Backend``; name, kind, site and landing class are those of its home."""

    def __init__(
        self,
        prefix: str,
        home: Backend,
        reach: Reach,
        relocator: Relocator,
        views: PlaceViews,
        steps: Steps,
    ) -> None:
        self._prefix = "" if prefix == ROOT else prefix
        self._home = home
        self._reach = reach
        self._relocator = relocator
        self._backends: Mapping[str, Backend] = relocator.backends
        self._work: NewWork = relocator.work
        self._views = views
        self._steps = steps
        self._running: dict[str, str] = {}
        """Handles of steps inside a back-end, by path: a relocation has to wait for them."""

    @property
    def name(self) -> str:
        return self._home.name

    @property
    def kind(self) -> str:
        return self._home.kind

    @property
    def site(self) -> str | None:
        return self._home.site

    @property
    def landing_class(self) -> str:
        return self._home.landing_class

    def classes(self) -> Sequence[StorageClass]:
        return self._reach.classes

    async def status(self, path: str) -> Status:
        async def ask(backend: Backend, inner: str, place: Place | None) -> Status:
            return self._shown(path, await backend.status(inner), place)

        return await self._there(path, ask)

    async def children(self, path: str) -> Sequence[Child]:
        _check_visible(path)
        # Elsewhere first: what moves meanwhile is then listed twice rather than not at all, and told once.
        elsewhere = await self._views.children(self._outer(path))
        inside = await self._home.children(path)
        if not elsewhere and path != ROOT:
            return inside
        found = {name: Child(name, ObjectType.DATAOBJECT) for name in elsewhere}
        for each in inside:
            if not is_hidden(join(path, each.name)):
                found.setdefault(each.name, each)
        return [found[name] for name in sorted(found)]

    async def page(self, path: str, first: int, count: int) -> Sequence[Child]:
        """Implements ``application.paging.Paged``: parts of what the home has, with what is elsewhere among it."""
        _check_visible(path)
        if path == ROOT or not isinstance(self._home, Paged):
            return (await self.children(path))[first : first + count]
        elsewhere = await self._views.children(self._outer(path))
        return await page_among(self._home, path, sorted(elsewhere), first, count)

    async def read(self, path: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        async def begin(
            backend: Backend, inner: str, _: Place | None
        ) -> tuple[AsyncIterator[bytes], bytes | None]:
            chunks = backend.read(inner, start, stop)
            return chunks, await anext(chunks, None)

        chunks, first = await self._there(path, begin)
        if first is not None:
            yield first
            async for chunk in chunks:
                yield chunk

    async def write(self, path: str, chunks: AsyncIterable[bytes], expected: Content | None = None) -> Content:
        place = await self._place(path)
        backend, inner = self._at(path, place)

        async def unless_moving() -> AsyncIterator[bytes]:
            async for chunk in chunks:
                yield chunk
            # Bytes that came while the object moves would stay behind.
            await self._check_still(path, place)

        content = await backend.write(inner, unless_moving(), expected)
        if await self._place(path) != place:
            raise Busy(path)
        return content

    async def make_container(self, path: str) -> bool:
        place = await self._place(path)
        if place is not None and place.inner is not None:
            raise Conflict(f"{path} is a data object")
        return await self._home.make_container(path)

    async def delete(self, path: str) -> None:
        _check_visible(path)
        outer = self._outer(path)
        async with self._work() as work:
            if path == ROOT and await work.places.keeps(self.name):
                raise Conflict(f"{self.name} keeps objects of other parts of the tree; take them back first")
            moved = [each for each in await work.places.below(outer) if each.inner is not None]
        for each in moved:
            await self._delete_at_home(self._inner(each.path))  # else what is left of a source would show again
        async with self._work() as work:
            places = await work.places.below(outer)
            for each in places:
                if each.inner is not None:
                    await leave(work, each.path, each.backend, each.inner)
            await work.places.remove([each.path for each in places])
        if not await self._delete_at_home(path) and not moved:
            raise ObjectNotFound(path)

    async def digest(self, path: str) -> str | None:
        return await self._there(path, lambda backend, inner, _: backend.digest(inner))

    async def start(self, path: str, target: str) -> str:
        place = await self._place(path)
        backend, inner = self._at(path, place)
        status = await backend.status(inner)
        held = self._reach.holder(target)
        if held is None:
            raise Impossible(f"{self.name} has no class {target}")
        if status.object_type is ObjectType.CONTAINER:
            return await self._note(path, target, *held)
        if held[0] == backend.name:
            await self._check_still(path, place)
            handle = self._running[path] = await backend.start(inner, held[1])
            return handle
        if path in self._running and (await self.poll(path, self._running[path], 0.0)).state is StepState.RUNNING:
            raise Busy(path)
        relocation = await self._relocation(path, place, status.size, *held)
        run = self._relocator.run
        return _RELOCATION + self._steps.start(path, target, lambda: run(relocation))

    async def poll(self, path: str, handle: str, patience: float) -> Progress:
        if handle == _NOTED:
            return Progress(StepState.DONE)
        if handle.startswith(_RELOCATION):
            return await self._steps.poll(handle.removeprefix(_RELOCATION), patience)
        progress = await self._there(path, lambda backend, inner, _: backend.poll(inner, handle, patience))
        if progress.state is not StepState.RUNNING:
            self._running.pop(path, None)
        return progress

    async def cancel(self, path: str, handle: str) -> None:
        if handle.startswith(_RELOCATION):
            await self._steps.cancel(handle.removeprefix(_RELOCATION))
            async with self._work() as work:
                await abandon(work, await work.places.relocations([self._outer(path)]))
        elif handle != _NOTED:
            backend, inner = self._at(path, await self._place(path))
            await backend.cancel(inner, handle)
            self._running.pop(path, None)

    async def health(self) -> BackendHealth:
        return await self._home.health()

    async def close(self) -> None:
        await self._steps.close()
        await self._home.close()

    def _shown(self, path: str, status: Status, place: Place | None) -> Status:
        """What a back-end says, in the words of this part of the tree."""
        backend = self.name if place is None or place.inner is None else place.backend
        shown, provided = self._reach.name(backend, status.storage_class), status.provided
        if status.object_type is ObjectType.CONTAINER and place is not None and place.storage_class is not None:
            shown = place.storage_class
            provided = {**provided, DEFAULT_CLASS: shown}
        return replace(status, path=path, storage_class=shown, provided=provided)

    async def _note(self, path: str, target: str, backend: str, native: str) -> str:
        """Note the class of a container: its own back-end can note its own classes only."""
        outer = self._outer(path)
        if backend != self.name:
            async with self._work() as work:
                await work.places.save(Place(outer, backend, storage_class=target))
            return _NOTED
        handle = await self._home.start(path, native)
        async with self._work() as work:
            await work.places.remove([outer])
        return handle

    async def _relocation(
        self, path: str, place: Place | None, size: int, backend: str, native: str
    ) -> Relocation:
        """The relocation under way to this class, or a new one. Raises ``Busy`` while one to another runs."""
        outer, new = self._outer(path), new_id()
        inner = path if backend == self.name else hidden_path(self.name, new)
        source, source_inner = self._at(path, place)
        async with self._work() as work:
            await work.alone(place_lock(outer))
            for known in await work.places.relocations([outer]):
                if (known.backend, known.storage_class) != (backend, native):
                    raise Busy(path)
                return known
            if await work.places.find(outer) != place:
                raise Busy(path)
            made = Relocation(new, outer, source.name, source_inner, backend, inner, native, size)
            await work.places.add_relocation(made)
        return made

    async def _check_still(self, path: str, place: Place | None) -> None:
        """Raise ``Busy`` when the object is, or was meanwhile, brought elsewhere."""
        async with self._work() as work:
            outer = self._outer(path)
            if await work.places.find(outer) != place or await work.places.relocations([outer]):
                raise Busy(path)

    async def _there(self, path: str, ask: Callable[[Backend, str, Place | None], Awaitable[T]]) -> T:
        """Ask the back-end that has the object; again when it went elsewhere between looking and asking."""
        place = await self._place(path)
        while True:
            try:
                return await ask(*self._at(path, place), place)
            except ObjectNotFound:
                latest = await self._place(path)
                if latest == place:
                    raise ObjectNotFound(path) from None
                place = latest

    async def _place(self, path: str) -> Place | None:
        _check_visible(path)
        return await self._views.find(self._outer(path))

    def _at(self, path: str, place: Place | None) -> tuple[Backend, str]:
        if place is None or place.inner is None:
            return self._home, path
        backend = self._backends.get(place.backend)
        if backend is None:
            raise Unavailable(f"{path} is in the back-end {place.backend}, which is not mounted any more")
        return backend, place.inner

    async def _delete_at_home(self, path: str) -> bool:
        try:
            await self._home.delete(path)
        except ObjectNotFound:
            return False
        return True

    def _outer(self, path: str) -> str:
        return (self._prefix + path).rstrip("/") or ROOT

    def _inner(self, outer: str) -> str:
        return outer[len(self._prefix) :] or ROOT


def _check_visible(path: str) -> None:
    if is_hidden(path):
        raise ObjectNotFound(path)
