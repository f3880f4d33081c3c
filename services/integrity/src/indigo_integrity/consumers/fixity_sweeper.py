"""Looks, again and again, for records whose files are due to be read back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from indigo_integrity.application.ports import Transaction
from indigo_integrity.application.runs import sweep_fixity

log = structlog.get_logger()

_BATCH = 100


class FixitySweeper:
    """A background of the runtime. Several may run: each due record is taken by one of them."""

    def __init__(self, work: Callable[[], Transaction], *, every: timedelta, interval: timedelta) -> None:
        self._work = work
        self._every = every.total_seconds()
        self._interval = interval
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        while not self._stopping.is_set():
            try:
                while await self.sweep() == _BATCH:
                    pass
            except (OSError, SQLAlchemyError) as error:
                log.warning("fixity.sweep_failed", error=str(error))  # the next sweep finds them due still
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._every)

    async def sweep(self) -> int:
        """Queue one batch of due re-reads; how many there were."""
        async with self._work() as work:
            return await sweep_fixity(work, self._interval, _BATCH)

    async def stop(self) -> None:
        self._stopping.set()
