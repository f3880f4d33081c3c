"""What every bus must do, written once and inherited by the tests of each implementation.

A subclass overrides the fixture ``bus`` (a started bus with the retry delays ``DELAYS``) and, when a second
process can take part, ``peer``.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from indigo_contracts.envelope import TYPE_PREFIX, Envelope
from indigo_kernel.bus.ports import (
    Bus,
    DeadLetter,
    Handler,
    Message,
    Outcome,
    PermanentError,
    Subscription,
    TransientError,
)
from indigo_kernel.bus.wire import message_of
from indigo_kernel.clock import SystemClock
from indigo_kernel.context import WorkContext, current
from indigo_kernel.db.engine import create_engine
from indigo_kernel.db.tables import kernel_tables
from indigo_kernel.db.uow import Database, UnitOfWork
from indigo_kernel.ids import new_id

from indigo_testing.databases import DatabaseMaker

DELAYS = (timedelta(milliseconds=100), timedelta(milliseconds=300))
"""Retry delays of the buses under test."""

PATIENCE = 30.0
"""Seconds after which something that should have happened is taken not to happen."""


class Seen:
    """Collects what arrives and lets a test wait for it. As a handler it collects envelopes."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self.items)

    async def __call__(self, item: Any) -> None:
        self.items.append(item)
        self._changed.set()

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not done():
                self._changed.clear()
                await self._changed.wait()

    async def count(self, number: int) -> list[Any]:
        """Wait for at least ``number`` items; all of them."""
        await self.until(lambda: len(self.items) >= number)
        return self.items

    @property
    def ids(self) -> list[str]:
        return [item.id for item in self.items]


class Facts:
    """Events and queues of one test, apart from those of any other on the same broker."""

    def __init__(self) -> None:
        self.tag = f"t{secrets.token_hex(4)}"

    def envelope(
        self, name: str = "thing.happened", subject: str = "things/1", version: int = 1, **data: Any
    ) -> Envelope:
        return Envelope(
            id=new_id(),
            source="https://test.example.org/",
            type=f"{TYPE_PREFIX}{self.tag}.{name}.v1",
            subject=subject,
            time=datetime.now(UTC),
            sequence=f"{version:020d}",
            data=data,
        )

    def message(
        self, name: str = "thing.happened", subject: str = "things/1", version: int = 1, **data: Any
    ) -> Message:
        return message_of(self.envelope(name, subject, version, **data))

    def subscription(
        self, handler: Handler, *, name: str = "all", keys: Sequence[str] = ("#",), concurrency: int = 16
    ) -> Subscription:
        """A subscription to this test's events; ``keys`` are relative to its prefix."""
        return Subscription(
            self.tag, name, tuple(f"{self.tag}.{key}" for key in keys), handler, concurrency=concurrency
        )


class BusContract:
    """Inherit it, override ``bus``."""

    @pytest_asyncio.fixture
    async def bus(self) -> Bus:
        raise NotImplementedError

    @pytest_asyncio.fixture
    async def peer(self, bus: Bus) -> Bus:
        """Another consumer of the same queues: another process where the bus has several."""
        return bus

    @pytest.fixture
    def facts(self) -> Facts:
        return Facts()

    async def test_the_event_arrives_whole(self, bus: Bus, facts: Facts) -> None:
        seen = Seen()
        await bus.subscribe([facts.subscription(seen)])
        event = facts.envelope(title="Ünï\u2028code", nothing=None, number=2**53)
        assert await bus.publish([message_of(event)]) == [Outcome.ACCEPTED]
        assert await seen.count(1) == [event]

    async def test_order_within_a_subject_while_subjects_overlap(self, bus: Bus, facts: Facts) -> None:
        order: dict[str, list[int]] = defaultdict(list)
        running: set[str] = set()
        overlap = 0
        seen = Seen()

        async def handler(event: Envelope) -> None:
            nonlocal overlap
            assert event.subject not in running
            running.add(event.subject)
            overlap = max(overlap, len(running))
            await asyncio.sleep(0.001 * (event.version % 3))
            order[event.subject].append(event.version)
            running.discard(event.subject)
            await seen(event)

        await bus.subscribe([facts.subscription(handler, concurrency=8)])
        batch = [facts.message(subject=f"things/{n % 10}", version=n // 10) for n in range(200)]
        assert set(await bus.publish(batch)) == {Outcome.ACCEPTED}
        await seen.count(200)
        assert dict(order) == {f"things/{n}": list(range(20)) for n in range(10)}
        assert 1 < overlap <= 8

    async def test_every_subscription_gets_a_copy(self, bus: Bus, facts: Facts) -> None:
        one, two = Seen(), Seen()
        await bus.subscribe([facts.subscription(one, name="one"), facts.subscription(two, name="two")])
        message = facts.message()
        await bus.publish([message])
        assert [event.id for event in await one.count(1)] == [message.id]
        assert [event.id for event in await two.count(1)] == [message.id]

    async def test_patterns_select(self, bus: Bus, facts: Facts) -> None:
        star, exact = Seen(), Seen()
        await bus.subscribe(
            [
                facts.subscription(star, name="star", keys=("plan.*.v1",)),
                facts.subscription(exact, name="exact", keys=("plan.created.v1", "record.published.v1")),
            ]
        )
        names = ["plan.created", "plan.published", "record.published"]
        await bus.publish([facts.message(name, subject="s") for name in names])
        assert [e.fact.split(".")[2] for e in await star.count(2)] == ["created", "published"]
        assert [e.fact.split(".")[1] for e in await exact.count(2)] == ["plan", "record"]

    async def test_an_event_nobody_wants_is_reported(self, bus: Bus, facts: Facts) -> None:
        seen = Seen()
        await bus.subscribe([facts.subscription(seen, keys=("wanted.*.v1",))])
        batch = [facts.message("wanted.this"), facts.message("other.that"), facts.message("wanted.too")]
        assert await bus.publish(batch) == [Outcome.ACCEPTED, Outcome.UNROUTABLE, Outcome.ACCEPTED]
        await seen.count(2)
        assert seen.ids == [batch[0].id, batch[2].id]

    async def test_competing_consumers_share(self, bus: Bus, peer: Bus, facts: Facts) -> None:
        one, two, total = Seen(), Seen(), Seen()

        def counted(seen: Seen) -> Handler:
            async def handler(event: Envelope) -> None:
                await seen(event)
                await total(event)
                await asyncio.sleep(0.002)

            return handler

        await bus.subscribe([facts.subscription(counted(one), concurrency=1)])
        await peer.subscribe([facts.subscription(counted(two), concurrency=1)])
        batch = [facts.message(subject=f"things/{n}") for n in range(60)]
        await bus.publish(batch)
        await total.count(60)
        assert sorted(total.ids) == sorted(message.id for message in batch)
        assert len(one) > 0
        assert len(two) > 0

    async def test_a_failure_is_tried_again_after_each_delay(self, bus: Bus, facts: Facts) -> None:
        loop = asyncio.get_running_loop()
        times: list[float] = []
        seen, dead = Seen(), Seen()

        async def handler(event: Envelope) -> None:
            times.append(loop.time())
            if len(times) < 3:
                raise TransientError("not yet")
            await seen(event)

        await bus.subscribe([facts.subscription(handler)], dead)
        await bus.publish([facts.message()])
        await seen.count(1)
        first, second = times[1] - times[0], times[2] - times[1]
        assert first >= DELAYS[0].total_seconds() * 0.9
        assert second >= DELAYS[1].total_seconds() * 0.9
        assert not dead.items

    async def test_after_the_last_delay_it_is_dead_with_its_reason(self, bus: Bus, facts: Facts) -> None:
        tried, dead = Seen(), Seen()

        async def handler(event: Envelope) -> None:
            await tried(event)
            raise KeyError("what the handler said")

        subscription = facts.subscription(handler)
        await bus.subscribe([subscription], dead)
        message = facts.message()
        await bus.publish([message])
        letter: DeadLetter = (await dead.count(1))[0]
        assert len(tried) == len(DELAYS) + 1 == letter.attempts
        assert (letter.queue, letter.error_type) == (subscription.queue, "KeyError")
        assert "what the handler said" in letter.error_detail
        assert (letter.message.id, letter.message.routing_key, letter.message.subject) == (
            message.id,
            message.routing_key,
            message.subject,
        )
        assert letter.message.body == message.body

    async def test_a_permanent_error_is_dead_at_once(self, bus: Bus, facts: Facts) -> None:
        tried, dead = Seen(), Seen()

        async def handler(event: Envelope) -> None:
            await tried(event)
            raise PermanentError("never")

        await bus.subscribe([facts.subscription(handler)], dead)
        await bus.publish([facts.message()])
        letter: DeadLetter = (await dead.count(1))[0]
        assert (letter.error_type, letter.attempts, len(tried)) == ("PermanentError", 1, 1)

    @pytest.mark.parametrize("body", [b"not json", b"[]", b'{"specversion":"1.0"}', b"\xff\x00", b""])
    async def test_what_is_no_event_is_dead_at_once(self, bus: Bus, facts: Facts, body: bytes) -> None:
        tried, dead = Seen(), Seen()
        await bus.subscribe([facts.subscription(tried)], dead)
        message = replace(facts.message(), body=body)
        assert await bus.publish([message]) == [Outcome.ACCEPTED]
        letter: DeadLetter = (await dead.count(1))[0]
        assert (letter.message.id, letter.message.body, letter.attempts) == (message.id, body, 1)
        assert letter.error_type == "PermanentError"
        assert not tried.items

    async def test_a_failing_message_holds_up_nobody(self, bus: Bus, facts: Facts) -> None:
        seen = Seen()

        async def handler(event: Envelope) -> None:
            if event.version == 0:
                raise TransientError("again")
            await seen(event)

        await bus.subscribe([facts.subscription(handler, concurrency=1)], Seen())
        await bus.publish([facts.message(version=n) for n in range(5)])
        assert [event.version for event in await seen.count(4)] == [1, 2, 3, 4]

    async def test_two_queues_may_fail_on_one_event_apart(self, bus: Bus, facts: Facts) -> None:
        dead, good = Seen(), Seen()

        async def bad(_: Envelope) -> None:
            raise TransientError("again")

        subscriptions = [
            facts.subscription(bad, name="one"),
            facts.subscription(bad, name="two"),
            facts.subscription(good, name="good"),
        ]
        await bus.subscribe(subscriptions, dead)
        await bus.publish([facts.message()])
        letters = await dead.count(2)
        assert {letter.queue for letter in letters} == {s.queue for s in subscriptions[:2]}
        assert len(good) == 1

    async def test_replay_reaches_one_queue_only(self, bus: Bus, facts: Facts) -> None:
        one, two, dead = Seen(), Seen(), Seen()
        broken = True

        async def mending(event: Envelope) -> None:
            if broken:
                raise PermanentError("still broken")
            await one(event)

        subscription = facts.subscription(mending, name="one")
        await bus.subscribe([subscription, facts.subscription(two, name="two")], dead)
        await bus.publish([facts.message()])
        letter: DeadLetter = (await dead.count(1))[0]
        broken = False
        await bus.replay(letter.queue, letter.message)
        assert (await one.count(1))[0].id == letter.message.id
        after = facts.message()
        await bus.publish([after])
        await two.until(lambda: after.id in two.ids)
        assert two.ids == [letter.message.id, after.id]

    async def test_a_replayed_message_has_all_its_tries_again(self, bus: Bus, facts: Facts) -> None:
        tried, dead = Seen(), Seen()

        async def handler(event: Envelope) -> None:
            await tried(event)
            raise TransientError("no")

        await bus.subscribe([facts.subscription(handler)], dead)
        await bus.publish([facts.message()])
        letter: DeadLetter = (await dead.count(1))[0]
        await bus.replay(letter.queue, letter.message)
        await dead.count(2)
        assert len(tried) == 2 * (len(DELAYS) + 1)

    async def test_replay_into_no_queue_is_refused(self, bus: Bus, facts: Facts) -> None:
        with pytest.raises(TransientError):
            await bus.replay(f"{facts.tag}.nowhere", facts.message())

    async def test_a_sink_that_failed_is_asked_again(
        self, bus: Bus, facts: Facts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("indigo_kernel.bus.memory.SINK_PAUSE", timedelta(milliseconds=50))
        monkeypatch.setattr("indigo_kernel.bus.amqp.SINK_PAUSE", 0.05)
        asked, kept = Seen(), Seen()

        async def sink(letter: DeadLetter) -> None:
            await asked(letter)
            if len(asked) < 3:
                raise ConnectionError("the database is away")
            await kept(letter)

        async def handler(_: Envelope) -> None:
            raise PermanentError("no")

        await bus.subscribe([facts.subscription(handler)], sink)
        message = facts.message()
        await bus.publish([message])
        assert (await kept.count(1))[0].message.id == message.id
        assert len(asked) == 3

    async def test_the_handler_works_in_the_context_of_its_event(self, bus: Bus, facts: Facts) -> None:
        contexts = Seen()

        async def handler(_: Envelope) -> None:
            await contexts(current())

        await bus.subscribe([facts.subscription(handler)])
        trace = "0af7651916cd43dd8448eb211c80319c"
        story = facts.envelope().model_copy(
            update={"correlationid": "story-1", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        )
        alone = facts.envelope()
        await bus.publish([message_of(story), message_of(alone)])
        first, second = await contexts.count(2)
        assert isinstance(first, WorkContext)
        assert (first.trace_id, first.correlation_id, first.causation_id) == (trace, "story-1", story.id)
        assert (second.correlation_id, second.causation_id) == (alone.id, alone.id)
        assert second.trace_id != trace

    async def test_stop_lets_a_running_handler_finish(self, bus: Bus, facts: Facts) -> None:
        begun, finished = asyncio.Event(), asyncio.Event()
        release = asyncio.Event()

        async def handler(_: Envelope) -> None:
            begun.set()
            await release.wait()
            finished.set()

        await bus.subscribe([facts.subscription(handler)])
        await bus.publish([facts.message()])
        await asyncio.wait_for(begun.wait(), PATIENCE)
        stopping = asyncio.create_task(bus.stop())
        await asyncio.sleep(0)
        assert not stopping.done()
        release.set()
        await asyncio.wait_for(stopping, PATIENCE)
        assert finished.is_set()

    async def test_a_duplicate_is_applied_once_with_the_inbox(
        self, bus: Bus, facts: Facts, make_database: DatabaseMaker
    ) -> None:
        engine = create_engine(await make_database("bus_inbox"), application="test")
        metadata = sa.MetaData()
        kernel_tables(metadata)
        effects = sa.Table("effects", metadata, sa.Column("event_id", sa.Text))
        database = Database(engine, SystemClock(), "https://test.example.org/")
        seen = Seen()

        async def handler(event: Envelope) -> None:
            async with UnitOfWork(database) as uow:
                if await uow.first_time(facts.tag, event.id):
                    await uow.conn.execute(effects.insert().values(event_id=event.id))
            await seen(event)

        try:
            async with engine.begin() as conn:
                await conn.run_sync(metadata.create_all)
            await bus.subscribe([facts.subscription(handler)])
            message = facts.message()
            await bus.publish([message])
            await bus.publish([message])
            await seen.count(2)
            async with engine.connect() as conn:
                rows = (await conn.execute(sa.select(effects.c.event_id))).scalars().all()
            assert rows == [message.id]
        finally:
            await engine.dispose()

    async def test_healthy_while_it_runs(self, bus: Bus, facts: Facts) -> None:
        await bus.subscribe([facts.subscription(Seen())])
        await bus.publish([facts.message()])
        assert bus.healthy()

    async def test_the_body_is_a_structured_event(self, facts: Facts) -> None:
        event = facts.envelope(a=1)
        assert json.loads(message_of(event).body)["data"] == {"a": 1}
