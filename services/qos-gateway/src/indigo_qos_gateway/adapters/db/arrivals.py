"""Bytes on their way into the storage, in PostgreSQL."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_qos_gateway.adapters.db.tables import arrivals


class SqlArrivals:
    """Implements ``application.row_ports.Arrivals``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def begin(self, path: str, token: str, now: datetime, until: datetime) -> bool:
        mine = {"token": token, "until": until}
        begun = await self._conn.execute(
            insert(arrivals)
            .values(path=path, **mine)
            .on_conflict_do_update(index_elements=[arrivals.c.path], set_=mine, where=arrivals.c.until < now)
        )
        return begun.rowcount > 0

    async def coming(self, path: str, now: datetime) -> bool:
        there = sa.select(sa.exists().where(arrivals.c.path == path, arrivals.c.until >= now))
        return bool((await self._conn.execute(there)).scalar_one())

    async def renew(self, path: str, token: str, until: datetime) -> None:
        await self._conn.execute(sa.update(arrivals).where(*_of(path, token)).values(until=until))

    async def end(self, path: str, token: str) -> bool:
        return (await self._conn.execute(sa.delete(arrivals).where(*_of(path, token)))).rowcount > 0


def _of(path: str, token: str) -> tuple[sa.ColumnElement[bool], ...]:
    return arrivals.c.path == path, arrivals.c.token == token
