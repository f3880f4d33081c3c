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
from indigo_kernel.db.housekeeping import Housekeeping
from indigo_kernel.db.relay import Relay
from indigo_kernel.db.uow import Database
from indigo_kernel.health import HealthChecks

log = structlog.get_logger()

GRACE_SECONDS = 20.0
"""How long running work may take to end when the process stops."""


class Background(Protocol):
    """Something that runs beside the API: a leased worker, a sweeper, a reconciler."""

    async def run(self) -> None: ...

    async def stop(self) -> None: ...


Close = Callable[[], Awaitable[None]]


@dataclass
class Runtime:
    """One service. A process calls ``start`` and then takes its roles: ``consume``, ``relay``, or both.

    Where several services share a process, all of them consume before any relays: an event that is published
    when its queue does not exist yet is unroutable.
    """

    name: str
    api: FastAPI
    database: Database
    bus: Bus
    owns_bus: bool
    health: HealthChecks
    migrations: Path
    subscriptions: Sequence[Subscription] = ()
    workers: Sequence[Background] = ()
    close: list[Close] = field(default_factory=list)
    _running: list[tuple[Background, asyncio.Task[None]]] = field(default_factory=list, init=False)

    async def start(self) -> None:
        """Check the schema and connect. Raises ``SchemaBehind`` when the revision is not this release's."""
        await migrate.check(self.database.engine, self.migrations, self.name)
        if self.owns_bus:
            await self.bus.start()

    async def consume(self) -> None:
        """Take deliveries and run the workers."""
        await self.bus.subscribe(self.subscriptions, sink(self.database.engine))
        for worker in (*self.workers, Housekeeping(self.database)):
            self._spawn(worker)

    async def relay(self) -> None:
        """Hand the events of the outbox to the bus."""
        database = self.database
        self._spawn(Relay(database.engine, self.bus, service=self.name, clock=database.clock))

    def _spawn(self, background: Background) -> None:
        task = asyncio.create_task(background.run(), name=f"{self.name}.{type(background).__name__}")
        task.add_done_callback(self._ended)
        self._running.append((background, task))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.critical("background.died", service=self.name, task=task.get_name(), exc_info=error)

    def healthy(self) -> bool:
        """Whether everything that was started still runs."""
        return not any(task.done() for _, task in self._running)

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
