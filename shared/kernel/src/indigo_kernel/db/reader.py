"""One statement, asked very often: past SQLAlchemy, on a connection that is kept.

A statement through the pool costs five times the CPU of one on a connection at hand. This is for the one or two
that a service answers most of its requests with, and for nothing that writes: a statement is asked again when the
connection turns out to be dead.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from indigo_kernel.db.engine import LOST, DatabaseAway, reading


class Reader:
    """Reads with SQL as asyncpg takes it (``$1``), each statement seeing what was committed before it.

    One connection of the engine's pool is kept for it; statements beside the one that runs there take others.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = reading(engine)
        self._kept: AsyncConnection | None = None

    async def fetch(self, statement: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        """The rows. Raises ``DatabaseAway``, or what the pool raises when no connection can be had."""
        conn, self._kept = self._kept, None
        if conn is not None:
            try:
                return await self._asked(conn, statement, arguments)
            except DatabaseAway:
                pass  # it may have died long ago, while nobody asked
        return await self._asked(await self._engine.connect(), statement, arguments)

    async def close(self) -> None:
        """Give the connection back. A later statement takes another one."""
        conn, self._kept = self._kept, None
        if conn is not None:
            await conn.close()

    async def _asked(
        self, conn: AsyncConnection, statement: str, arguments: Sequence[Any]
    ) -> Sequence[asyncpg.Record]:
        try:
            driver: Any = (await conn.get_raw_connection()).driver_connection
            rows: Sequence[asyncpg.Record] = await driver.fetch(statement, *arguments)
        except BaseException as error:
            # A statement that was cut off may still be under way on it: nobody else shall have it.
            with contextlib.suppress(*LOST, SQLAlchemyError):
                await asyncio.shield(_discard(conn))
            if isinstance(error, LOST):
                raise DatabaseAway(f"PostgreSQL was lost: {error}") from error
            raise
        if self._kept is None:
            self._kept = conn
        else:
            await conn.close()
        return rows


async def _discard(conn: AsyncConnection) -> None:
    await conn.invalidate()
    await conn.close()
