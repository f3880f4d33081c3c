"""Objects and containers of a tape system, where a container's class is the name of an empty file in it.

There are no attributes that every door keeps, and an empty file never goes to tape: its name can always be read.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from indigo_kernel.ids import new_id
from indigo_kernel.problems import Conflict

from indigo_qos_gateway.adapters.classes import DISK_ONLY, NAMES
from indigo_qos_gateway.adapters.names import HIDDEN, checked, checked_below_root, hidden
from indigo_qos_gateway.adapters.spool import Spool, spooled
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.paths import ROOT, join, lineage, parent
from indigo_qos_gateway.domain.storage import Child, Content, ObjectType

NoteContent = Callable[[str, Content], Awaitable[None]]
"""Tells the storage the checksum of a file that is about to get its name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a directory. ``name`` is the last segment of its path."""

    name: str
    container: bool
    size: int
    modified: datetime


class Tree(Protocol):
    """Files and directories of a storage system: what is behind a door or a program."""

    async def stat(self, path: str) -> Entry | None:
        """What is at a path; ``None`` when nothing is."""
        ...

    async def entries(self, path: str) -> list[Entry]:
        """What is in a directory. Raises ``ObjectNotFound``."""
        ...

    def read(self, path: str, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """Raises ``ObjectNotFound``."""
        ...

    async def put(self, path: str, spool: Spool) -> None: ...

    async def make(self, path: str) -> bool:
        """Make a directory; False when something is there. Raises ``Conflict`` when what it is in is not."""
        ...

    async def delete(self, path: str) -> None:
        """Remove a file, or a directory with everything in it. Raises ``ObjectNotFound``."""
        ...

    async def move(self, source: str, target: str) -> None:
        """Give a file another name, in the place of what has it."""
        ...

    async def close(self) -> None: ...


class RemoteFiles:
    """The data half of a back-end."""

    def __init__(
        self, tree: Tree, note_content: NoteContent | None = None, classes: Sequence[str] = NAMES
    ) -> None:
        self._tree = tree
        self._note_content = note_content
        self._classes = classes

    async def stat(self, path: str) -> Entry:
        """Raises ``ObjectNotFound``."""
        found = await self._tree.stat(checked(path))
        if found is None:
            raise ObjectNotFound(path)
        return found

    async def children(self, path: str) -> Sequence[Child]:
        if not (await self.stat(path)).container:
            raise ObjectNotFound(path)
        found = [each for each in await self._tree.entries(path) if not hidden(each.name)]
        return [
            Child(each.name, ObjectType.CONTAINER if each.container else ObjectType.DATAOBJECT)
            for each in sorted(found, key=lambda each: each.name)
        ]

    def read(self, path: str, start: int, stop: int | None) -> AsyncIterator[bytes]:
        return self._tree.read(checked_below_root(path), start, stop)

    async def write(self, path: str, chunks: AsyncIterable[bytes], expected: Content | None) -> Content:
        """The file comes under a hidden name, and gets its own when it is whole."""
        async with spooled(checked_below_root(path), chunks, expected) as spool:
            found = await self._tree.stat(path)
            if found is not None and found.container:
                raise Conflict(f"{path} is a container")
            await self._make_containers(parent(path))
            draft = join(parent(path), f"{HIDDEN}.upload-{new_id()}")
            try:
                await self._tree.put(draft, spool)
                if self._note_content is not None:
                    await self._note_content(draft, spool.content)
                await self._tree.move(draft, path)
            except BaseException:
                with suppress(ObjectNotFound):
                    await self._tree.delete(draft)
                raise
            return spool.content

    async def make_container(self, path: str) -> bool:
        found = await self._tree.stat(checked(path))
        if found is None:
            await self._make_containers(path)
            return True
        if not found.container:
            raise Conflict(f"{path} is a data object")
        return False

    async def delete(self, path: str) -> None:
        await self._tree.delete(checked_below_root(path))

    async def container_class(self, path: str) -> str:
        for name in self._classes:
            if await self._tree.stat(_note(path, name)) is not None:
                return name
        return DISK_ONLY

    async def set_container_class(self, path: str, target: str) -> None:
        async with spooled(path, _nothing(), None) as empty:
            await self._tree.put(_note(path, target), empty)
        for name in self._classes:
            if name != target:
                with suppress(ObjectNotFound):
                    await self._tree.delete(_note(path, name))

    async def close(self) -> None:
        await self._tree.close()

    async def _make_containers(self, path: str) -> None:
        for each in reversed([each for each in lineage(path) if each != ROOT]):
            if not await self._tree.make(each):
                found = await self._tree.stat(each)
                if found is None or not found.container:
                    raise Conflict(f"A data object is in the way of {path}")


def _note(path: str, name: str) -> str:
    return join(path, f"{HIDDEN}.class-{name}")


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
