"""Bytes come to a path from one request at a time: what is known of them is then of those that are there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from indigo_kernel.ids import new_id

from indigo_qos_gateway.application.ports import NewWork, Work
from indigo_qos_gateway.domain.errors import Busy

log = structlog.get_logger()

LEASE = timedelta(seconds=30)
"""How long others wait for a request whose process died."""


def name_lock(path: str) -> str:
    """The key of the lock under which a name that is free is given to an object, or to a queue or reference."""
    return f"name {path}"


@dataclass(slots=True)
class Arrival:
    """The bytes of one request on their way to a path; ``complete`` when the storage was given all of them."""

    work: NewWork
    path: str
    complete: bool = False
    _token: str = field(default_factory=new_id)
    _renewing: asyncio.Task[None] | None = None

    @property
    def begun(self) -> bool:
        return self._renewing is not None

    async def begin(self, work: Work) -> None:
        """From the end of this transaction on, nobody else brings bytes. Raises ``Busy`` when somebody does."""
        if not await work.arrivals.begin(self.path, self._token, work.now, work.now + LEASE):
            raise Busy(self.path)
        self._renewing = asyncio.create_task(self._renew())

    async def end(self, work: Work) -> None:
        """What the bytes are is known from this transaction on. Raises ``Busy`` when others were let in."""
        if self.begun and not await work.arrivals.end(self.path, self._token):
            raise Busy(self.path)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """While the block runs, no others come. When it fails, it is not known which bytes are there."""
        try:
            yield
        except BaseException:
            if self.begun:
                await asyncio.shield(self._noted(self._give_up))
            raise
        finally:
            if self._renewing is not None:
                self._renewing.cancel()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            await self._noted(lambda work: work.arrivals.renew(self.path, self._token, work.now + LEASE))

    async def _give_up(self, work: Work) -> None:
        if self.complete:
            await work.arrivals.renew(self.path, self._token, work.now)
        else:
            await work.arrivals.end(self.path, self._token)

    async def _noted(self, change: Callable[[Work], Awaitable[object]]) -> None:
        try:
            async with self.work() as work:
                await change(work)
        except Exception as error:  # noqa: BLE001 - the lease ends by itself
            log.warning("arrival.not_noted", path=self.path, error=repr(error))
