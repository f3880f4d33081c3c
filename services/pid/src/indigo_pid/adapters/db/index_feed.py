"""The identifiers as the name index reads them: all of them, or those that changed, in one stream.

A position is a transaction number. Each row carries the number of the transaction that changed it last; reading
from the oldest transaction that was still running when the previous reading began misses nothing that was
committed since, however the commits were ordered (PostgreSQL manual, "Transaction ID and Snapshot Information").
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol, TypeVar

import asyncpg
from indigo_kernel.db.engine import LOST
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from indigo_pid.application.index_keeper import FeedLost
from indigo_pid.domain.resolution import Row

_POSITION = "SELECT txid_snapshot_xmin(txid_current_snapshot())"
_ROWS = (
    "SELECT handle_key, coalesce(ark_key, ''), coalesce(doi, ''), state, coalesce(target, ''), choice,"
    " CASE WHEN handle_values IS NULL THEN ''"
    """ WHEN state = 'active' AND handle_values @? '$[*].type ? (@ like_regex "^HS_NAMESPACE$" flag "i")'"""
    " THEN handle_values::text ELSE '-' END"
    " FROM identifiers"
)
_CHANNEL = "outbox"
"""Every change of an identifier states a fact, and the kernel notifies this channel of each."""

_ANSWER_SECONDS = 5.0
_LOAD_SECONDS = 600.0
_LOST = (*LOST, SQLAlchemyError, asyncpg.PostgresError)
_UNESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

T = TypeVar("T")


class _Driver(Protocol):
    """The part of asyncpg's connection that is used."""

    async def fetchval(self, query: str, *, timeout: float) -> Any: ...

    async def copy_from_query(
        self, query: str, *, output: Callable[[bytes], Awaitable[None]], timeout: float
    ) -> str: ...


class PostgresFeed:
    """Implements ``application.index_keeper.Feed`` over a connection of ``engine``'s pool."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[PostgresFeedConnection]:
        try:
            async with self._connected() as connection:
                yield connection
        except (FeedLost, *_LOST) as error:
            # What else is in the pool is most likely lost too, and no request shall find that out.
            await self._engine.dispose()
            raise FeedLost(str(error) or repr(error)) from error

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[PostgresFeedConnection]:
        async with asyncio.timeout(_ANSWER_SECONDS):
            conn = await self._engine.connect()
        try:
            await conn.execution_options(isolation_level="AUTOCOMMIT")
            driver: Any = (await conn.get_raw_connection()).driver_connection
            connection = PostgresFeedConnection(driver)
            await driver.add_listener(_CHANNEL, connection.notified)
            try:
                yield connection
            finally:
                with contextlib.suppress(*_LOST):  # the connection may be gone, and the listener with it
                    await driver.remove_listener(_CHANNEL, connection.notified)
        except (FeedLost, *_LOST):
            await conn.invalidate()
            raise
        finally:
            with contextlib.suppress(*_LOST):  # closing what is gone already
                await conn.close()


class PostgresFeedConnection:
    """Implements ``application.index_keeper.FeedConnection``."""

    def __init__(self, driver: _Driver) -> None:
        self._driver = driver
        self._news = asyncio.Event()

    def notified(self, *_: object) -> None:
        self._news.set()

    async def position(self) -> int:
        self._news.clear()
        return int(await _told(self._driver.fetchval(_POSITION, timeout=_ANSWER_SECONDS)))

    async def read(self, after: int | None, row: Callable[[Row], None]) -> None:
        query, seconds = _ROWS, _LOAD_SECONDS
        if after is not None:
            query, seconds = f"{_ROWS} WHERE changed_in >= {after:d}", _ANSWER_SECONDS
        rest = b""

        async def output(data: bytes) -> None:
            nonlocal rest
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                row(_row(line))

        await _told(self._driver.copy_from_query(query, output=output, timeout=seconds))

    async def changed(self, seconds: float) -> None:
        # Not wait_for: until Python 3.12 it forgets being canceled when the news come in the same moment, and
        # whoever then waits for the keeper to end waits forever.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()


async def _told(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except _LOST as error:
        raise FeedLost(repr(error)) from error


def _row(line: bytes) -> Row:
    """One line of COPY's text format (PostgreSQL manual, COPY, "Text Format")."""
    fields = line.decode().split("\t")
    if b"\\" in line:
        fields = [_unescape(one) for one in fields]
    handle_key, ark_key, doi, state, target, choice, values = fields
    return Row(handle_key, ark_key, doi, state, target, choice == "t", values)


def _unescape(field: str) -> str:
    head, *parts = field.split("\\")
    told = [head]
    escaped = iter(parts)
    for part in escaped:
        if part:
            told.append(_UNESCAPED[part[:1]] + part[1:])
        else:  # two backslashes are one, and what follows is text
            told.append("\\" + next(escaped, ""))
    return "".join(told)
