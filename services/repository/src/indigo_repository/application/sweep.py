"""Housekeeping of the storage: what crashes and cut-off uploads leave behind goes."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import structlog
from indigo_kernel.clock import Clock

from indigo_repository.application.ports import Preservation, Staging
from indigo_repository.application.publication import remove_blobs
from indigo_repository.application.work import OpenWork

log = structlog.get_logger()

ABANDONED_AFTER = timedelta(days=1)
EVERY = timedelta(hours=1)


async def sweep(open_work: OpenWork, staging: Staging, clock: Clock) -> int:
    """Remove staged files no draft has; how many there were."""
    old = await asyncio.to_thread(staging.abandoned, clock.now() - ABANDONED_AFTER)
    async with open_work() as work:
        needed = await work.files.referenced(old)
    unneeded = [blob for blob in old if blob not in needed]
    await remove_blobs(staging, unneeded)
    return len(unneeded)


class Sweeper:
    """Brings the store up once at the start, and sweeps the staging area then and every hour."""

    def __init__(self, open_work: OpenWork, staging: Staging, store: Preservation, clock: Clock) -> None:
        self._open_work = open_work
        self._staging = staging
        self._store = store
        self._clock = clock
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        recovered = False
        while not self._stopping.is_set():
            try:
                if not recovered:
                    await asyncio.to_thread(self._store.recover)
                    recovered = True
                removed = await sweep(self._open_work, self._staging, self._clock)
                log.info("storage.swept", removed=removed)
            except Exception:
                # The next round tries again; a service that works must not end for its housekeeping.
                log.exception("storage.sweep_failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), EVERY.total_seconds())

    async def stop(self) -> None:
        self._stopping.set()
