"""When each record's files are read back next."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_integrity.adapters.db.tables import fixity


class FixityRows:
    """``application.ports.FixitySchedule``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def plan(self, record_id: str, due: datetime) -> None:
        await self._conn.execute(insert(fixity).values(record_id=record_id, next_due=due).on_conflict_do_nothing())

    async def checked(self, record_id: str, at: datetime, next_due: datetime) -> None:
        await self._conn.execute(
            sa.update(fixity).where(fixity.c.record_id == record_id).values(last_checked=at, next_due=next_due)
        )

    async def drop(self, record_id: str) -> None:
        await self._conn.execute(sa.delete(fixity).where(fixity.c.record_id == record_id))

    async def take_due(self, now: datetime, next_due: datetime, limit: int) -> list[str]:
        due = (
            sa.select(fixity.c.record_id)
            .where(fixity.c.next_due <= now)
            .order_by(fixity.c.next_due)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        taken = await self._conn.execute(
            sa.update(fixity)
            .where(fixity.c.record_id.in_(due.scalar_subquery()))
            .values(next_due=next_due)
            .returning(fixity.c.record_id)
        )
        return sorted(taken.scalars())
