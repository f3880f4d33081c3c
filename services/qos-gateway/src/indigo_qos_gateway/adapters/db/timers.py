"""Timers of objects, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_qos_gateway.adapters.db.objects import among, at_or_below
from indigo_qos_gateway.adapters.db.tables import timers
from indigo_qos_gateway.domain.timer import Due, Timer

_NEW = insert(timers)
_SET = _NEW.on_conflict_do_update(
    index_elements=[timers.c.path],
    set_={name: _NEW.excluded[name] for name in ("storage_class", "due_at", "due")},
)


class SqlTimers:
    """Implements ``application.row_ports.TimerRows``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def set(self, new: Sequence[Timer]) -> None:
        if new:
            await self._conn.execute(
                _SET,
                [
                    {
                        "path": each.path,
                        "storage_class": each.storage_class,
                        "due_at": each.due_at,
                        "due": each.due.value,
                    }
                    for each in new
                ],
            )

    async def clear(self, paths: Sequence[str]) -> None:
        await self._conn.execute(sa.delete(timers).where(among(timers.c.path, paths)))

    async def end(self, timer: Timer) -> None:
        these = timers.c.path == timer.path, timers.c.due_at == timer.due_at
        await self._conn.execute(sa.delete(timers).where(*these))

    async def hasten(self, path: str, at: datetime) -> bool:
        changed = await self._conn.execute(
            sa.update(timers).where(at_or_below(timers.c.path, path)).values(due_at=at)
        )
        return changed.rowcount > 0

    async def due(self, now: datetime, limit: int) -> Sequence[Timer]:
        rows = await self._conn.execute(
            sa.select(timers).where(timers.c.due_at <= now).order_by(timers.c.due_at).limit(limit)
        )
        return [Timer(row.path, row.storage_class, row.due_at, Due(row.due)) for row in rows]

    async def following(self) -> datetime | None:
        found: datetime | None = (await self._conn.execute(sa.select(sa.func.min(timers.c.due_at)))).scalar_one()
        return found
