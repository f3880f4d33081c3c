"""What every service's database forgets in time: used idempotency keys and old inbox rows."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from indigo_kernel.db.uow import Database
from indigo_kernel.idempotency import expire_keys

log = structlog.get_logger()

EVERY = timedelta(hours=1)
INBOX_KEPT = timedelta(days=90)
"""Far longer than any bus keeps a message: an event that comes again later is told apart by its version."""

_FORGET = sa.text("DELETE FROM inbox WHERE applied_at < :before")


class Housekeeping:
    """Runs beside the workers; several replicas at once do no harm."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.tidy()
            except (OSError, SQLAlchemyError) as error:
                log.warning("housekeeping.failed", error=str(error))  # there is another hour
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), EVERY.total_seconds())

    async def stop(self) -> None:
        self._stopping.set()

    async def tidy(self) -> None:
        """Remove what is too old."""
        now = self._db.clock.now()
        async with self._db.engine.begin() as conn:
            await expire_keys(conn, now)
            await conn.execute(_FORGET, {"before": now - INBOX_KEPT})
