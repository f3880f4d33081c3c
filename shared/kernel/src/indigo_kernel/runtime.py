"""A service put together: what its ``bootstrap.build`` returns, and how it is started and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog
from fastapi import FastAPI

from indigo_kernel.bus.ports import Bus, Subscription
from indigo_kernel.db import migrate
from indigo_kernel.db.dead_letters import sink
from indigo_kernel.db.relay import Relay
from indigo_kernel.db.uow import Database
from indigo_kernel.health import HealthChecks

log = structlog.get_logger()

GRACE_SECONDS = 20.0
"""How long running work may take to end when the process stops."""


class Background(Protocol):
    """Something that runs beside the API: a leased worker, a sweeper, a reconciler."""

    async def run(self) -> None: ...

    async def quiesce(self, *, grace: float = GRACE_SECONDS) -> None:
        """Take no more work, let what runs end within ``grace`` seconds, then cancel it."""
        for each, _ in self._running:
            await each.stop()
        tasks = [task for _, task in self._running]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._running.clear()

    async def stop(self) -> None:
        """Quiesce, and close every connection."""
        await self.quiesce()
        if self.owns_bus:
            await self.bus.stop()
        for close in self.close:
            await close()
        await self.database.engine.dispose()
