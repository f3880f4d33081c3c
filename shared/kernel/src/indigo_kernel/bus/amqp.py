"""The bus on RabbitMQ 3.10 to 4.3 (AMQP 0-9-1, quorum queues).

Two connections: a broker that throttles publishers stops reading their connection, and acknowledgements must
not be stuck behind that. Each is rebuilt from scratch after any failure.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aiormq.exceptions import AMQPError

from indigo_kernel.bus.amqp_link import Link, LinkLost
from indigo_kernel.bus.amqp_message import ATTEMPT, attempt_of, dead_letter, death_headers, decode, encode
from indigo_kernel.bus.amqp_publish import Publisher
from indigo_kernel.bus.consume import Fate, Fetch, Lanes, Verdict, deliver
from indigo_kernel.bus.ports import (
    RETRY_DELAYS,
    DeadLetterSink,
    Message,
    Outcome,
    Subscription,
    TransientError,
)
from indigo_kernel.bus.topology import (
    DELIVERY_LIMIT,
    EXCHANGE,
    SubscriptionTopology,
    subscription_topology,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SINK_PAUSE = 5.0
"""Seconds after which a dead-letter sink that failed is asked again."""

SETUP_SECONDS = 30.0
"""How long declaring and consuming all queues may take."""

PREFETCH_PER_SLOT = 4
"""Messages fetched ahead per concurrent handler: enough to hide the round trip and a run of one subject."""


@dataclass(slots=True, eq=False)
class _Consumer:
    subscription: Subscription
    sink: DeadLetterSink | None
    topology: SubscriptionTopology
    lanes: Lanes


class AmqpBus:
    """Implements ``bus.ports.Bus``. ``name`` is shown by the broker as the connection's name.

    ``declare=False`` leaves exchange and queues to the operator (``topology.definitions``).
    ``publish_timeout`` bounds every publication; ``check_every`` is how often the broker is asked whether it
    still knows our consumers.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        retry_delays: Sequence[timedelta] = RETRY_DELAYS,
        delivery_limit: int = DELIVERY_LIMIT,
        publish_timeout: timedelta = timedelta(seconds=10),
        check_every: timedelta = timedelta(seconds=30),
        heartbeat: int = 10,
        declare: bool = True,
        fetch: Fetch | None = None,
    ) -> None:
        self._name = name
        self._delays = tuple(retry_delays)
        self._delivery_limit = delivery_limit
        self._patience = publish_timeout.total_seconds()
        self._check_every = check_every.total_seconds()
        self._declare = declare
        self._fetch = fetch
        self._publisher = Publisher(timeout=publish_timeout, declare=declare)
        self._publishing = Link(url, self._publisher.session, name=f"{name}.publish", heartbeat=heartbeat)
        self._receiving = Link(url, self._session, name=f"{name}.consume", heartbeat=heartbeat)
        self._consumers: list[_Consumer] = []
        self._consuming = asyncio.Event()
        self._rebuild = asyncio.Event()
        self._failure = ""
        self._stopping = asyncio.Event()
        self._cancels: list[tuple[AbstractChannel, str, str]] = []
        self._burials = Lanes(4)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to connect. A broker that is away is waited for in the background; ``healthy`` tells."""
        self._tasks.append(asyncio.create_task(self._publishing.run()))

    async def stop(self) -> None:
        self._stopping.set()
        for channel, queue, tag in self._cancels:
            # A channel that is gone has no consumer left to cancel.
            with contextlib.suppress(AMQPError, TimeoutError, OSError, RuntimeError):
                await (await channel.get_queue(queue, ensure=False)).cancel(tag, timeout=self._patience)
        lanes = [self._burials, *(consumer.lanes for consumer in self._consumers)]
        for lane in lanes:
            lane.discard()
        for lane in lanes:
            await lane.drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def healthy(self) -> bool:
        return self._publisher.ready and (not self._consumers or self._consuming.is_set())

    async def publish(self, batch: Sequence[Message]) -> list[Outcome]:
        pairs = [(message.routing_key, encode(message, app=self._name)) for message in batch]
        return await self._publisher.publish("events", EXCHANGE, pairs)

    async def subscribe(self, subscriptions: Sequence[Subscription], dead: DeadLetterSink | None = None) -> None:
        """Return when the queues are declared and consumed, or after the publish timeout.

        In the second case it goes on in the background until the broker is there.
        """
        if not subscriptions:
            return
        first = not self._consumers
        self._consumers += [_Consumer(s, dead, self._topology(s), Lanes(s.concurrency)) for s in subscriptions]
        self._consuming.clear()
        self._rebuild.set()
        if first:
            self._tasks.append(asyncio.create_task(self._receiving.run()))
        try:
            async with asyncio.timeout(self._patience):
                await self._consuming.wait()
        except TimeoutError:
            log.warning("bus.not_consuming", queues=[s.queue for s in subscriptions])

    async def replay(self, queue: str, message: Message) -> None:
        fresh = encode(message, app=self._name)
        [outcome] = await self._publisher.publish("replay", "", [(queue, fresh)])
        if outcome is not Outcome.ACCEPTED:
            raise TransientError(f"the replay into {queue} was not accepted: {outcome}")

    def _topology(self, subscription: Subscription) -> SubscriptionTopology:
        return subscription_topology(
            subscription.queue,
            subscription.routing_keys,
            retry_delays=self._delays,
            delivery_limit=self._delivery_limit,
        )

    # one life of the consuming connection

    async def _session(self, connection: AbstractConnection, up: Callable[[], None]) -> None:
        self._rebuild.clear()
        self._failure = ""
        self._cancels = []
        try:
            # A broker that has just started may leave a question unanswered for ever.
            async with asyncio.timeout(SETUP_SECONDS):
                for consumer in self._consumers:
                    await self._consume(connection, consumer)
                watch = await connection.channel()
            if not self._rebuild.is_set():
                self._consuming.set()
                up()
            while not await self._must_rebuild():
                await self._check_consumers(watch)
            if self._failure:
                raise LinkLost(self._failure)
        finally:
            self._consuming.clear()
            for consumer in self._consumers:
                consumer.lanes.discard()  # the broker delivers them again
            self._burials.discard()

    async def _consume(self, connection: AbstractConnection, consumer: _Consumer) -> None:
        topology = consumer.topology
        if self._declare:
            async with connection.channel() as channel:
                await _declare(channel, topology)
        if self._stopping.is_set():
            return
        receive = partial(self._receive, consumer)
        prefetch = consumer.subscription.concurrency * PREFETCH_PER_SLOT
        await self._listen(connection, topology.main.name, receive, prefetch)
        if consumer.sink is not None:
            bury = partial(self._receive_dead, consumer.subscription.queue, consumer.sink)
            await self._listen(connection, topology.dead.name, bury, 1)

    async def _listen(
        self,
        connection: AbstractConnection,
        queue: str,
        receive: Callable[[AbstractIncomingMessage], None],
        prefetch: int,
    ) -> None:
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=prefetch)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda _: self._fail(f"the broker no longer serves {queue}"))
        channel.close_callbacks.add(lambda *_: self._fail(f"the channel of {queue} was closed"))

        async def on_message(incoming: AbstractIncomingMessage) -> None:
            receive(incoming)

        tag = await (await channel.get_queue(queue, ensure=False)).consume(on_message)
        self._cancels.append((channel, queue, tag))

    def _fail(self, reason: str) -> None:
        self._failure = reason
        self._rebuild.set()

    async def _must_rebuild(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._check_every):
                await self._rebuild.wait()
        return self._rebuild.is_set()

    async def _check_consumers(self, watch: AbstractChannel) -> None:
        """Raises when the broker does not answer, has lost a queue or does not know that it is consumed."""
        if self._stopping.is_set():
            return
        for consumer in self._consumers:
            queue = await watch.declare_queue(consumer.topology.main.name, passive=True, timeout=self._patience)
            if not queue.declaration_result.consumer_count:
                raise LinkLost(f"the broker knows no consumer of {queue.name}")

    # one delivery

    def _receive(self, consumer: _Consumer, incoming: AbstractIncomingMessage) -> None:
        if self._stopping.is_set():
            return  # not acknowledged: the broker gives it to another consumer
        message = decode(incoming)
        consumer.lanes.submit(message.subject, partial(self._handle, consumer, message, incoming))

    async def _handle(self, consumer: _Consumer, message: Message, incoming: AbstractIncomingMessage) -> None:
        attempt = attempt_of(message)
        fate = await deliver(
            message.body,
            consumer.subscription.handler,
            queue=consumer.subscription.queue,
            attempt=attempt,
            retries=len(self._delays),
            fetch=self._fetch,
        )
        if fate.verdict is not Verdict.DONE and not await self._pass_on(consumer, message, fate, attempt):
            self._fail(f"a message of {consumer.subscription.queue} could not be passed on")
            return
        try:
            await incoming.ack()
        except (AMQPError, OSError, RuntimeError) as error:
            # The connection went meanwhile: the message comes again, and the inbox knows it.
            log.info("delivery.ack_lost", event_id=message.id, error=str(error))

    async def _pass_on(self, consumer: _Consumer, message: Message, fate: Fate, attempt: int) -> bool:
        """Put a failed message safely into its next queue; False when that is not certain."""
        if fate.verdict is Verdict.RETRY:
            target = consumer.topology.retries[attempt].name
            extra: dict[str, str | int] = {ATTEMPT: attempt + 1}
        else:
            target = consumer.topology.dead.name
            extra = death_headers(fate, attempt=attempt)
        copy = encode(message, app=self._name, extra=extra)
        [outcome] = await self._publisher.publish(consumer.subscription.queue, "", [(target, copy)])
        return outcome is Outcome.ACCEPTED

    def _receive_dead(self, queue: str, sink: DeadLetterSink, incoming: AbstractIncomingMessage) -> None:
        self._burials.submit(queue, partial(self._bury, queue, sink, incoming))

    async def _bury(self, queue: str, sink: DeadLetterSink, incoming: AbstractIncomingMessage) -> None:
        try:
            await sink(dead_letter(queue, incoming))
        except Exception:
            log.exception("dead_letter.not_kept", queue=queue, event_id=incoming.message_id)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SINK_PAUSE):
                    await self._stopping.wait()
            settle = incoming.nack(requeue=True)
        else:
            settle = incoming.ack()
        try:
            await settle
        except (AMQPError, OSError, RuntimeError) as error:
            log.info("dead_letter.ack_lost", queue=queue, error=str(error))


async def _declare(channel: AbstractChannel, topology: SubscriptionTopology) -> None:
    exchange = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
    main = None
    for queue in topology.queues:
        main = await channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))
    assert main is not None
    for key in topology.routing_keys:
        await main.bind(exchange, routing_key=key)
