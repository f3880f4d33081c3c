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

log = structlog.get_logger()


class Background(Protocol):
    """Something that runs beside the API: a leased worker, a sweeper, a reconciler."""

    async def run(self) -> None: ...

    async def stop(self) -> None: ...


Close = Callable[[], Awaitable[None]]


@dataclass
class Runtime:
    """One service. ``start`` takes the roles of this process; the standalone suite takes them all."""

    name: str
    api: FastAPI
    database: Database
    bus: Bus
    migrations: Path
    subscriptions: Sequence[Subscription] = ()
    workers: Sequence[Background] = ()
    close: list[Close] = field(default_factory=list)
    _running: list[tuple[Background, asyncio.Task[None]]] = field(default_factory=list, init=False)

    async def start(self, *, relay: bool = True, consume: bool = True) -> None:
        """Check the schema, then start the relay, and the consumers with the workers.

        Raises ``SchemaBehind`` when the database is not at this release's revision.
        """
        await migrate.check(self.database.engine, self.migrations, self.name)
        await self.bus.start()
        background: list[Background] = []
        if relay:
            background.append(Relay(self.database.engine, self.bus, service=self.name))
        if consume:
            await self.bus.subscribe(self.subscriptions, sink(self.database.engine))
            background.extend(self.workers)
        for each in background:
            task = asyncio.create_task(each.run(), name=f"{self.name}.{type(each).__name__}")
            task.add_done_callback(self._ended)
            self._running.append((each, task))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.critical("background.died", service=self.name, task=task.get_name(), exc_info=error)

    def healthy(self) -> bool:
        """Whether everything that was started still runs."""
        return not any(task.done() for _, task in self._running)

    async def stop(self, *, grace: float = 20.0) -> None:
        """Let running work end within ``grace`` seconds, then cancel it and close every connection."""
        for each, _ in self._running:
            await each.stop()
        tasks = [task for _, task in self._running]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._running.clear()
        await self.bus.stop()
        for close in self.close:
            await close()
        await self.database.engine.dispose()
