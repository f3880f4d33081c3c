from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, Self

import aio_pika
import pytest
import pytest_asyncio
from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_rabbitmq_event
from indigo_contracts.envelope import Envelope
from indigo_dev.rabbitmq import PrivateRabbit
from indigo_kernel.bus.amqp import AmqpBus
from indigo_kernel.bus.consume import POISON
from indigo_kernel.bus.ports import Message, Outcome, PermanentError
from indigo_kernel.bus.topology import EXCHANGE
from indigo_testing.bus_contract import DELAYS, PATIENCE, BusContract, Facts, Seen
from yarl import URL

pytestmark = pytest.mark.amqp


@contextlib.asynccontextmanager
async def running(url: str, **options: Any) -> AsyncIterator[AmqpBus]:
    settings: dict[str, Any] = {
        "name": "test",
        "retry_delays": DELAYS,
        "publish_timeout": timedelta(seconds=5),
        "check_every": timedelta(seconds=1),
    }
    bus = AmqpBus(url, **(settings | options))
    await bus.start()
    try:
        yield bus
    finally:
        await asyncio.wait_for(bus.stop(), PATIENCE)


@contextlib.asynccontextmanager
async def raw_channel(url: str) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    connection = await aio_pika.connect(url)
    async with connection:
        yield await connection.channel()


class Wire:
    """A TCP forwarder in front of the broker that can be cut, as a network is."""

    def __init__(self, target: str) -> None:
        self._target = URL(target)
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = str(self._target.with_host("127.0.0.1").with_port(port))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._target.host, self._target.port or 5672)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()


@pytest.fixture
async def wire(amqp_url: str) -> AsyncIterator[Wire]:
    async with Wire(amqp_url) as wire:
        yield wire


@pytest.fixture
def facts() -> Facts:
    return Facts()


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again: the broker announces none of what is waited for here."""
    async with asyncio.timeout(60):
        while not await done():
            await asyncio.sleep(0.05)


async def until_accepted(bus: AmqpBus, message: Message) -> None:
    """Publish as the relay does: again, as long as the answer is unknown."""

    async def accepted() -> bool:
        return await bus.publish([message]) == [Outcome.ACCEPTED]

    await until(accepted)


async def until_healthy(bus: AmqpBus, healthy: bool) -> None:
    async def reached() -> bool:
        return bus.healthy() is healthy

    await until(reached)


async def proven(bus: AmqpBus, seen: Seen, message: Message) -> None:
    """A message published now reaches the consumer."""
    await until_accepted(bus, message)
    async with asyncio.timeout(60):
        await seen.until(lambda: message.id in seen.ids)


class TestAmqpBus(BusContract):
    pytestmark = pytest.mark.amqp

    @pytest_asyncio.fixture
    async def bus(self, amqp_url: str) -> AsyncIterator[AmqpBus]:
        async with running(amqp_url) as bus:
            yield bus

    @pytest_asyncio.fixture
    async def peer(self, amqp_url: str) -> AsyncIterator[AmqpBus]:
        async with running(amqp_url, name="peer") as bus:
            yield bus


async def test_the_wire_is_structured_with_mirrored_attributes(amqp_url: str, facts: Facts) -> None:
    async with raw_channel(amqp_url) as channel, running(amqp_url) as bus:
        await bus.subscribe([facts.subscription(Seen())])
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(EXCHANGE, f"{facts.tag}.#")
        event = facts.envelope(a=1).model_copy(update={"correlationid": "c-1", "traceparent": "00-1"})
        await bus.publish([Message(event.id, event.fact, event.subject, event.wire())])
        got = await queue.get(timeout=PATIENCE)
        assert got.body == event.wire()
        assert got.content_type == "application/cloudevents+json; charset=utf-8"
        assert (got.message_id, got.type, got.correlation_id) == (event.id, event.type, "c-1")
        assert got.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
        assert got.timestamp == event.time.replace(microsecond=0)
        assert got.app_id == "test"
        assert got.headers["cloudEvents_subject"] == event.subject
        assert got.headers["cloudEvents_sequence"] == event.sequence
        assert got.headers["traceparent"] == "00-1"
        assert "cloudEvents_data" not in got.headers
        foreign = from_rabbitmq_event(RabbitMQMessage(dict(got.headers), got.content_type, got.body))
        assert (foreign.get_id(), foreign.get_type()) == (event.id, event.type)
        assert foreign.get_data() == {"a": 1}


@pytest.mark.parametrize("prefix", ["cloudEvents_", "cloudEvents:", "ce-"])
async def test_events_of_others_in_binary_mode_are_understood(amqp_url: str, facts: Facts, prefix: str) -> None:
    seen = Seen()
    event = facts.envelope(a=[1, None])
    names = ["specversion", "id", "source", "type", "subject", "sequence"]
    headers: dict[str, Any] = {prefix + name: getattr(event, name) for name in names}
    headers[f"{prefix}time"] = event.time.isoformat()
    async with raw_channel(amqp_url) as channel, running(amqp_url) as bus:
        await bus.subscribe([facts.subscription(seen)])
        exchange = await channel.get_exchange(EXCHANGE)
        foreign = aio_pika.Message(b'{"a":[1,null]}', headers=headers, content_type="application/json")
        await exchange.publish(foreign, event.fact)
        assert await seen.count(1) == [event]


async def test_the_type_decides_not_the_routing_key(amqp_url: str, facts: Facts) -> None:
    seen = Seen()
    event = facts.envelope("plan.created")
    async with running(amqp_url) as bus:
        await bus.subscribe([facts.subscription(seen)])
        await bus.publish([Message(event.id, f"{facts.tag}.quite.else", event.subject, event.wire())])
        assert (await seen.count(1))[0].fact == f"{facts.tag}.plan.created.v1"


async def test_what_a_torn_connection_left_unacknowledged_comes_again(wire: Wire, facts: Facts) -> None:
    begun, release, seen = Seen(), asyncio.Event(), Seen()

    async def handler(event: Envelope) -> None:
        await begun(event)
        if len(begun) == 1:
            await release.wait()
        await seen(event)

    message = facts.message()
    async with running(wire.url) as bus:
        await bus.subscribe([facts.subscription(handler)])
        await bus.publish([message])
        await begun.count(1)
        wire.cut()
        # The second delivery waits for the first to end: one subject, one at a time.
        await until_accepted(bus, other := facts.message(subject="other"))
        await seen.until(lambda: other.id in seen.ids)
        assert begun.ids == [message.id, other.id]
        release.set()
        await seen.until(lambda: seen.ids.count(message.id) == 2)


async def test_a_consumer_that_dies_in_each_delivery_is_given_up(amqp_url: str, facts: Facts) -> None:
    begun, dead = Seen(), Seen()
    never = asyncio.Event()

    async def handler(event: Envelope) -> None:
        await begun(event)
        await never.wait()

    message = facts.message()
    for deliveries in range(1, 4):
        bus = AmqpBus(amqp_url, name="dying", retry_delays=DELAYS, delivery_limit=2)
        await bus.start()
        await bus.subscribe([facts.subscription(handler)])
        if deliveries == 1:
            await bus.publish([message])
        await begun.count(deliveries)
        await kill(bus)
    async with running(amqp_url, delivery_limit=2) as bus:
        await bus.subscribe([facts.subscription(begun)], dead)
        [letter] = await dead.count(1)
        assert (letter.message.id, letter.error_type) == (message.id, POISON)
        assert letter.message.routing_key == message.routing_key
        assert len(begun) == 3


async def kill(bus: AmqpBus) -> None:
    """End a bus as a dying process would: nothing is settled, the connections just close."""
    tasks = [*bus._tasks, *(task for consumer in bus._consumers for task in consumer.lanes._tasks)]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_deleted_queue_is_declared_and_consumed_again(amqp_url: str, facts: Facts) -> None:
    seen = Seen()
    subscription = facts.subscription(seen)
    async with running(amqp_url) as bus:
        await bus.subscribe([subscription])
        await proven(bus, seen, facts.message())
        async with raw_channel(amqp_url) as channel:
            await channel.queue_delete(subscription.queue)
        await proven(bus, seen, facts.message())


async def test_a_deleted_retry_queue_loses_nothing(amqp_url: str, facts: Facts) -> None:
    tried, dead = Seen(), Seen()

    async def handler(event: Envelope) -> None:
        await tried(event)
        raise ConnectionError("no")

    subscription = facts.subscription(handler)
    async with running(amqp_url) as bus:
        await bus.subscribe([subscription], dead)
        async with raw_channel(amqp_url) as channel:
            await channel.queue_delete(f"{subscription.queue}.retry-100ms")
        message = facts.message()
        await until_accepted(bus, message)
        [letter] = await dead.count(1)
        assert letter.message.id == message.id
        assert len(tried) == len(DELAYS) + 2


async def test_a_cut_connection_is_replaced(wire: Wire, facts: Facts) -> None:
    seen = Seen()
    async with running(wire.url) as bus:
        await bus.subscribe([facts.subscription(seen)])
        await proven(bus, seen, facts.message())
        wire.cut()
        await proven(bus, seen, facts.message())
        await until_healthy(bus, True)


async def test_dead_letters_wait_for_a_sink(amqp_url: str, facts: Facts) -> None:
    tried, dead = Seen(), Seen()

    async def handler(event: Envelope) -> None:
        await tried(event)
        raise PermanentError("no")

    message = facts.message()
    async with running(amqp_url) as bus:
        await bus.subscribe([facts.subscription(handler)])
        await bus.publish([message])
        await tried.count(1)
    async with running(amqp_url) as bus:
        await bus.subscribe([facts.subscription(handler)], dead)
        assert (await dead.count(1))[0].message.id == message.id


async def test_queues_declared_by_the_operator_are_enough(amqp_url: str, facts: Facts) -> None:
    seen = Seen()
    async with running(amqp_url) as bus:
        await bus.subscribe([facts.subscription(Seen())])
    async with running(amqp_url, declare=False) as bus:
        await bus.subscribe([facts.subscription(seen)])
        await proven(bus, seen, facts.message())


async def test_no_broker_is_no_crash(free_port: Callable[[], int], facts: Facts) -> None:
    url = f"amqp://guest:guest@127.0.0.1:{free_port()}/"
    async with running(url, publish_timeout=timedelta(seconds=0.3)) as bus:
        await bus.subscribe([facts.subscription(Seen())])
        assert await bus.publish([facts.message()]) == [Outcome.UNKNOWN]
        assert not bus.healthy()


class TestBrokerTrouble:
    """The node of this run is stopped, killed and frozen; the others find it running again."""

    async def test_a_restarted_broker(self, rabbit: PrivateRabbit, facts: Facts) -> None:
        seen = Seen()
        async with running(rabbit.url) as bus:
            await bus.subscribe([facts.subscription(seen)])
            await proven(bus, seen, facts.message())
            await asyncio.to_thread(rabbit.restart)
            await proven(bus, seen, facts.message())

    async def test_a_killed_broker_keeps_what_it_accepted(self, rabbit: PrivateRabbit, facts: Facts) -> None:
        seen, gate = Seen(), asyncio.Event()

        async def handler(event: Envelope) -> None:
            await gate.wait()
            await seen(event)

        messages = [facts.message(subject=f"things/{n}") for n in range(50)]
        async with running(rabbit.url) as bus:
            subscription = facts.subscription(handler)
            await bus.subscribe([subscription])
            await asyncio.to_thread(rabbit.wait_until_recoverable, subscription.queue)
            assert set(await bus.publish(messages)) == {Outcome.ACCEPTED}
            await asyncio.to_thread(rabbit.kill)
            await asyncio.to_thread(rabbit.restart)
            gate.set()
            async with asyncio.timeout(60):
                await seen.until(lambda: set(seen.ids) == {message.id for message in messages})

    async def test_a_frozen_broker_is_unknown_then_well(self, rabbit: PrivateRabbit, facts: Facts) -> None:
        seen = Seen()
        async with running(rabbit.url, publish_timeout=timedelta(seconds=1)) as bus:
            await bus.subscribe([facts.subscription(seen)])
            await proven(bus, seen, facts.message())
            await asyncio.to_thread(rabbit.freeze)
            try:
                doubtful = facts.message()
                assert await bus.publish([doubtful]) == [Outcome.UNKNOWN]
                await until_healthy(bus, False)
            finally:
                await asyncio.to_thread(rabbit.thaw)
            await proven(bus, seen, doubtful)
            await proven(bus, seen, facts.message())
