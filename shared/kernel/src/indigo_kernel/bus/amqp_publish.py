"""Publishing with confirms: every message gets an answer, and no answer in time is an answer too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import DeliveryError
from aiormq import spec

from indigo_kernel.bus.amqp_link import LinkLost
from indigo_kernel.bus.ports import Outcome
from indigo_kernel.bus.topology import EXCHANGE

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Publisher:
    """``session`` is run by a ``Link``; ``publish`` may be called at any time by any task.

    Messages handed over with the same ``lane`` share a channel, which keeps their order. The client library
    tells returned messages apart by message id, so one id must not be in flight twice in one lane.
    """

    def __init__(self, *, timeout: timedelta, declare: bool) -> None:
        self._timeout = timeout.total_seconds()
        self._declare = declare
        self._connection: AbstractConnection | None = None
        self._channels: dict[str, AbstractChannel] = {}
        self._opening = asyncio.Lock()
        self._ready = asyncio.Event()
        self._failed = asyncio.Event()

    @property
    def ready(self) -> bool:
        return self._ready.is_set()

    async def session(self, connection: AbstractConnection, up: Callable[[], None]) -> None:
        self._failed.clear()
        self._channels = {}
        if self._declare:
            async with asyncio.timeout(self._timeout), connection.channel() as channel:
                await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
        self._connection = connection
        self._ready.set()
        up()
        try:
            await self._failed.wait()
            raise LinkLost("a publication was not answered")
        finally:
            self._ready.clear()
            self._connection = None

    async def publish(
        self, lane: str, exchange: str, batch: Sequence[tuple[str, aio_pika.Message]]
    ) -> list[Outcome]:
        """Publish ``(routing key, message)`` pairs in order, all in flight at once; one outcome for each."""
        deadline = asyncio.get_running_loop().time() + self._timeout
        try:
            async with asyncio.timeout_at(deadline):
                await self._ready.wait()
                target = await self._exchange(lane, exchange)
        except Exception as error:  # noqa: BLE001 - not connected, for whatever reason
            self._fail(error)
            return [Outcome.UNKNOWN] * len(batch)
        tasks = [
            asyncio.create_task(target.publish(message, routing_key=key, mandatory=True)) for key, message in batch
        ]
        try:
            await asyncio.wait(tasks, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
        finally:
            unanswered = [task for task in tasks if not task.done()]
            for task in unanswered:
                task.cancel()
            await asyncio.gather(*unanswered, return_exceptions=True)
        if unanswered:
            self._fail(TimeoutError(f"{len(unanswered)} of {len(batch)} publications not confirmed in time"))
        return [self._outcome(task) for task in tasks]

    async def _exchange(self, lane: str, exchange: str) -> AbstractExchange:
        async with self._opening:
            if self._connection is None:
                raise LinkLost("the connection was lost")
            channel = self._channels.get(lane)
            if channel is None or channel.is_closed:
                channel = self._channels[lane] = await self._connection.channel(publisher_confirms=True)
        return await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange

    def _outcome(self, task: asyncio.Task[object]) -> Outcome:
        if task.cancelled():
            return Outcome.UNKNOWN
        error = task.exception()
        if error is None:
            # A returned message comes back instead of an acknowledgement.
            return Outcome.ACCEPTED if isinstance(task.result(), spec.Basic.Ack) else Outcome.UNROUTABLE
        if not isinstance(error, DeliveryError):  # that is a negative acknowledgement: the channel still works
            self._fail(error)
        return Outcome.UNKNOWN

    def _fail(self, error: BaseException) -> None:
        """Have the connection rebuilt: one that left a question open is not asked again."""
        if self._ready.is_set() and not self._failed.is_set():
            log.warning("amqp.publish_failed", error_type=type(error).__name__, error=str(error))
            self._ready.clear()
            self._failed.set()
