"""Keeps the name index: reads it from its file, fills it from the database, and follows what changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from indigo_pid.application.name_index import Mode, NameIndex
from indigo_pid.domain.resolution import Row

log = structlog.get_logger()

POLL_SECONDS = 1.0
"""Between two looks at the database when it reports nothing."""

PAUSE_SECONDS = 0.02
"""At least between two looks, so that many commits are one look."""

RETRY_SECONDS = 1.0
"""Before the database is looked for again."""

REWRITE_AFTER = 10_000
"""Changes at least before the file is written anew; it never has more changes than names."""


class FeedLost(Exception):
    """The database cannot be read now."""


class FeedConnection(Protocol):
    """A connection that hears of changes."""

    async def position(self) -> int:
        """Everything committed later is found by reading from this position (and maybe a little before)."""
        ...

    async def read(self, after: int | None, row: Callable[[Row], None]) -> None:
        """Give every identifier, or those that changed since the position ``after``, to ``row``."""
        ...

    async def changed(self, seconds: float) -> None:
        """Return when something was committed, or when ``seconds`` are over."""
        ...


class Feed(Protocol):
    def connect(self) -> contextlib.AbstractAsyncContextManager[FeedConnection]:
        """Raises ``FeedLost`` here and from every call on the connection."""
        ...


class IndexFile(Protocol):
    """The index on disk. Its calls block, and are made in a thread."""

    def read(self) -> dict[str, bytes] | None:
        """What it holds; ``None`` when there is none that can be used."""
        ...

    def replace(self, values: Mapping[str, bytes]) -> None:
        """Write everything anew."""
        ...

    def append(self, changes: Sequence[tuple[str, bytes]]) -> None:
        """Write changes behind the rest."""
        ...


class IndexKeeper:
    """Runs beside a server that resolves. Without a ``file`` the index is in memory only."""

    def __init__(self, index: NameIndex, feed: Feed, file: IndexFile | None) -> None:
        self._index = index
        self._feed = feed
        self._file = file
        self._position: int | None = None
        self._appended = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, once; for every call after that nothing happens."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="pid.index")

    async def stop(self) -> None:
        """End. What is on disk is whole at any moment, so nothing is written here."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def check(self) -> None:
        """Raises when the keeper has died."""
        if self._task is not None and self._task.done():
            raise RuntimeError(f"the name index is kept no longer: {self._task!r}")

    async def _run(self) -> None:
        await self._read_file()
        while True:
            try:
                async with self._feed.connect() as connection:
                    await self._fill(connection)
                    while True:
                        await self._catch_up(connection)
                        await asyncio.sleep(PAUSE_SECONDS)
                        await connection.changed(POLL_SECONDS)
            except FeedLost as error:
                if self._index.mode is not Mode.CUT_OFF:
                    log.warning("index.cut_off", error=str(error), names=len(self._index))
                self._index.cut_off()
                await asyncio.sleep(RETRY_SECONDS)

    async def _read_file(self) -> None:
        if self._file is None:
            return
        values = await asyncio.to_thread(self._file.read)
        if values is not None:
            self._index.replace(values)
            log.info("index.read", names=len(values))

    async def _fill(self, connection: FeedConnection) -> None:
        """Read everything, unless only what changed while the connection was away is missing."""
        position = await connection.position()
        if self._position is not None and self._position <= position:
            return
        values: dict[str, bytes] = {}
        entries, most = self._index.entries, self._index.most

        def keep(row: Row) -> None:
            if len(values) < most:
                values.update(entries(row))

        self._index.begin()
        await connection.read(None, keep)
        self._index.replace(values)
        self._index.end()
        self._position = position
        log.info("index.filled", names=len(values))
        await self._rewrite_file()

    async def _catch_up(self, connection: FeedConnection) -> None:
        changes: list[tuple[str, bytes]] = []
        entries = self._index.entries
        self._index.begin()
        position = await connection.position()
        await connection.read(self._position, lambda row: changes.extend(entries(row)))
        self._index.apply(changes)
        self._index.end()
        self._position = position
        await self._append_to_file()

    async def _append_to_file(self) -> None:
        if self._file is None:
            return
        changes = self._index.unsaved()
        if not changes:
            return
        await asyncio.to_thread(self._file.append, changes)
        self._appended += len(changes)
        if self._appended > max(REWRITE_AFTER, len(self._index)):
            await self._rewrite_file()

    async def _rewrite_file(self) -> None:
        if self._file is None:
            return
        self._index.unsaved()
        # a copy: changes go on while the thread writes
        await asyncio.to_thread(self._file.replace, dict(self._index.values))
        self._appended = 0
