"""Objects and containers behind WebDAV, where a container's class is the name of an empty file in it.

There are no attributes that every door keeps, and an empty file never goes to tape: its name can always be read.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

from indigo_kernel.ids import new_id
from indigo_kernel.problems import Conflict

from indigo_qos_gateway.adapters.classes import DISK_ONLY, NAMES
from indigo_qos_gateway.adapters.http.webdav import Entry, WebDav
from indigo_qos_gateway.adapters.names import HIDDEN, checked, checked_below_root, hidden
from indigo_qos_gateway.adapters.spool import spooled
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.paths import ROOT, join, lineage, parent
from indigo_qos_gateway.domain.storage import Child, Content, ObjectType

NoteContent = Callable[[str, Content], Awaitable[None]]
"""Tells the storage the checksum of a file that is about to get its name."""


class DavFiles:
    """The data half of a back-end."""

    def __init__(self, dav: WebDav, note_content: NoteContent | None = None) -> None:
        self._dav = dav
        self._note_content = note_content

    async def stat(self, path: str) -> Entry:
        """Raises ``ObjectNotFound``."""
        found = await self._dav.stat(checked(path))
        if found is None:
            raise ObjectNotFound(path)
        return found

    async def children(self, path: str) -> Sequence[Child]:
        if not (await self.stat(path)).container:
            raise ObjectNotFound(path)
        found = [each for each in await self._dav.entries(path) if not hidden(each.name)]
        return [
            Child(each.name, ObjectType.CONTAINER if each.container else ObjectType.DATAOBJECT)
            for each in sorted(found, key=lambda each: each.name)
        ]

    def read(self, path: str, start: int, stop: int | None) -> AsyncIterator[bytes]:
        return self._dav.read(checked_below_root(path), start, stop)

    async def write(self, path: str, chunks: AsyncIterable[bytes], expected: Content | None) -> Content:
        """The file comes under a hidden name, and gets its own when it is whole."""
        async with spooled(checked_below_root(path), chunks, expected) as spool:
            found = await self._dav.stat(path)
            if found is not None and found.container:
                raise Conflict(f"{path} is a container")
            await self._make_containers(parent(path))
            draft = join(parent(path), f"{HIDDEN}.upload-{new_id()}")
            try:
                await self._dav.put(draft, spool)
                if self._note_content is not None:
                    await self._note_content(draft, spool.content)
                await self._dav.move(draft, path)
            except BaseException:
                with suppress(ObjectNotFound):
                    await self._dav.delete(draft)
                raise
            return spool.content

    async def make_container(self, path: str) -> bool:
        found = await self._dav.stat(checked(path))
        if found is None:
            await self._make_containers(path)
            return True
        if not found.container:
            raise Conflict(f"{path} is a data object")
        return False

    async def delete(self, path: str) -> None:
        await self._dav.delete(checked_below_root(path))

    async def container_class(self, path: str) -> str:
        for name in NAMES:
            if await self._dav.stat(_note(path, name)) is not None:
                return name
        return DISK_ONLY

    async def set_container_class(self, path: str, target: str) -> None:
        async with spooled(path, _nothing(), None) as empty:
            await self._dav.put(_note(path, target), empty)
        for name in NAMES:
            if name != target:
                with suppress(ObjectNotFound):
                    await self._dav.delete(_note(path, name))

    async def close(self) -> None:
        await self._dav.close()

    async def _make_containers(self, path: str) -> None:
        for each in reversed([each for each in lineage(path) if each != ROOT]):
            if not await self._dav.make(each):
                found = await self._dav.stat(each)
                if found is None or not found.container:
                    raise Conflict(f"A data object is in the way of {path}")


def _note(path: str, name: str) -> str:
    return join(path, f"{HIDDEN}.class-{name}")


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
