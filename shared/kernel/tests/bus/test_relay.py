from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from indigo_contracts.envelope import Fact
from indigo_dev.postgres import EmbeddedPostgres
from indigo_kernel.auth.dependency import require
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.bus.ports import Message, Outcome, Subscription
from indigo_kernel.clock import ManualClock
from indigo_kernel.db.engine import create_engine
from indigo_kernel.db.feed import events_router
from indigo_kernel.db.relay import EVENTS, OUTBOX, PUBLISHED, Relay
from indigo_kernel.db.uow import Database, UnitOfWork
from indigo_kernel.health import HealthChecks
from indigo_kernel.http.app import create_api
from indigo_testing.bus_contract import PATIENCE, Seen
from indigo_testing.directories import server_directory
from sqlalchemy.ext.asyncio import AsyncEngine


class Noted(Fact):
    fact: ClassVar[str] = "test.note.taken.v1"

    text: str = ""


async def state(database: Database, *, subject: str = "notes/1", version: int = 1, text: str = "") -> str:
    async with UnitOfWork(database) as uow:
        return uow.emit(Noted(text=text), subject=subject, version=version).id


async def rows(engine: AsyncEngine, table: sa.Table) -> Sequence[sa.Row[Any]]:
    async with engine.connect() as conn:
        return (await conn.execute(sa.select(table).order_by(*table.primary_key.columns))).all()


class Recorder:
    """A bus that notes what it is given; ``doubt`` decides which messages stay without an answer."""

    def __init__(self) -> None:
        self.got = Seen()
        self.doubt: Callable[[Message], bool] = lambda _: False
        self.after: Callable[[], Any] | None = None

    async def publish(self, batch: Sequence[Message]) -> list[Outcome]:
        outcomes = [Outcome.UNKNOWN if self.doubt(message) else Outcome.ACCEPTED for message in batch]
        for message in batch:
            await self.got(message)
        if self.after is not None:
            after, self.after = self.after, None
            await after()
        return outcomes

    @property
    def subjects(self) -> list[str]:
        return [message.subject for message in self.got.items]


@pytest.fixture
def bus() -> Recorder:
    return Recorder()


@contextlib.asynccontextmanager
async def relaying(database: Database, bus: Any, **options: Any) -> AsyncIterator[Relay]:
    relay = Relay(database.engine, bus, service="test", clock=database.clock, **options)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        await relay.stop()
        await asyncio.wait_for(task, PATIENCE)


async def until_empty(database: Database) -> None:
    async with asyncio.timeout(PATIENCE):
        while await rows(database.engine, OUTBOX):
            await asyncio.sleep(0.01)


async def test_rows_are_published_in_order_and_numbered(database: Database, bus: Recorder) -> None:
    ids = [await state(database, subject=f"notes/{n % 3}", version=n) for n in range(25)]
    async with relaying(database, bus, batch=10):
        await bus.got.count(25)
        await until_empty(database)
    events = await rows(database.engine, EVENTS)
    assert [row.position for row in events] == list(range(1, 26))
    assert [row.event_id for row in events] == ids
    for subject in ("notes/0", "notes/1", "notes/2"):
        of_subject = [m.id for m in bus.got.items if m.subject == subject]
        assert of_subject == [row.event_id for row in events if row.subject == subject]
    assert bus.got.items[0].routing_key == Noted.fact
    assert bus.got.items[0].body.decode() == events[0].body


async def test_a_commit_wakes_the_relay(
    database: Database, bus: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indigo_kernel.db.relay.POLL_SECONDS", 3600.0)
    async with relaying(database, bus):
        await state(database)
        await bus.got.count(1)
        await until_empty(database)
        await state(database)
        await bus.got.count(2)


async def test_one_doubtful_event_holds_up_its_subject_only(database: Database, bus: Recorder) -> None:
    clock = database.clock
    assert isinstance(clock, ManualClock)
    bad = await state(database, subject="bad", version=1)
    behind = await state(database, subject="bad", version=2)
    bus.doubt = lambda message: message.id == bad
    async with relaying(database, bus):
        good = [await state(database, subject=f"good/{n}") for n in range(5)]
        await bus.got.until(lambda: set(good) <= {m.id for m in bus.got.items})
        async with asyncio.timeout(PATIENCE):
            while len(await rows(database.engine, OUTBOX)) > 2:
                await asyncio.sleep(0.01)
        left = await rows(database.engine, OUTBOX)
        assert [(row.event_id, row.attempts) for row in left] == [(bad, left[0].attempts), (behind, 0)]
        assert left[0].attempts >= 1
        assert "confirm" in left[0].last_error
        assert clock.now() <= left[0].next_attempt_at <= clock.now() + timedelta(seconds=60)
        assert behind not in {m.id for m in bus.got.items}
        bus.doubt = lambda _: False
        clock.advance(timedelta(seconds=61))
        await until_empty(database)
    assert [m.id for m in bus.got.items if m.subject == "bad"][-2:] == [bad, behind]
    assert [row.position for row in await rows(database.engine, EVENTS)] == list(range(1, 8))


async def test_what_nobody_wants_is_in_the_feed_and_counted(database: Database) -> None:
    before = PUBLISHED.labels("test", "unroutable")._value.get()
    event = await state(database)
    bus = MemoryBus()
    await bus.start()
    async with relaying(database, bus):
        await until_empty(database)
    await bus.stop()
    assert [row.event_id for row in await rows(database.engine, EVENTS)] == [event]
    assert PUBLISHED.labels("test", "unroutable")._value.get() == before + 1


async def test_a_crash_after_publishing_repeats_and_loses_nothing(database: Database, bus: Recorder) -> None:
    ids = [await state(database, subject=f"notes/{n}") for n in range(5)]

    async def crash() -> None:
        async with database.engine.connect() as conn:
            held = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database ="
            await conn.execute(sa.text(f"{held} (SELECT oid FROM pg_database WHERE datname = current_database())"))

    bus.after = crash
    async with relaying(database, bus):
        await bus.got.count(10)
        await until_empty(database)
    assert sorted(m.id for m in bus.got.items) == sorted(ids * 2)
    events = await rows(database.engine, EVENTS)
    assert [row.event_id for row in events] == ids
    assert [row.position for row in events] == [1, 2, 3, 4, 5]


async def test_one_relay_works_and_a_spare_takes_its_place(database: Database) -> None:
    first, second = Recorder(), Recorder()
    async with relaying(database, second) as other:
        await state(database)
        await second.got.count(1)
        async with relaying(database, first):
            await asyncio.gather(*(state(database, subject=f"s/{n}") for n in range(20)))
            await second.got.count(21)
            assert not first.got.items
            await other.stop()
            await state(database)
            await first.got.count(1)
    assert [row.position for row in await rows(database.engine, EVENTS)] == list(range(1, 23))


async def test_an_event_stated_twice_keeps_its_number(database: Database, bus: Recorder) -> None:
    first = await state(database)
    async with relaying(database, bus):
        await until_empty(database)
        async with database.engine.begin() as conn:
            event = (await conn.execute(sa.select(EVENTS))).one()
            again = {"event_id": first, "fact": event.fact, "subject": event.subject, "body": event.body}
            await conn.execute(sa.insert(OUTBOX).values(**again))
        later = await state(database)
        await until_empty(database)
    assert [(row.position, row.event_id) for row in await rows(database.engine, EVENTS)] == [
        (1, first),
        (2, later),
    ]


async def test_a_large_event_travels_as_a_claim_check(database: Database, bus: Recorder, api: Any) -> None:
    small = await state(database, text="x" * 60_000)
    large = await state(database, text="é" * 40_000)
    async with relaying(database, bus):
        await until_empty(database)
    by_id = {m.id: httpx.Response(200, content=m.body).json() for m in bus.got.items}
    assert len(by_id[small]["data"]["text"]) == 60_000
    assert "dataref" not in by_id[small]
    assert "data" not in by_id[large]
    assert by_id[large]["dataref"] == f"https://dmp.example.org/events/{large}/data"
    answer = await api.get(f"/events/{large}/data")
    assert answer.json() == {"text": "é" * 40_000}


@pytest.fixture
def own_directory() -> Iterator[Path]:
    """Not below pytest's own, which a second run closes to other users while this one is using it."""
    with server_directory("relay", EmbeddedPostgres) as directory:
        yield directory


async def test_the_database_may_restart(own_directory: Path, bus: Recorder) -> None:
    server = EmbeddedPostgres(own_directory, durable=True)
    await asyncio.to_thread(server.start)
    engine = create_engine(server.server_url, application="test")
    database = Database(engine, ManualClock(), "https://dmp.example.org")
    try:
        async with engine.begin() as conn:
            await conn.run_sync(OUTBOX.metadata.create_all)
        async with relaying(database, bus):
            await state(database)
            await bus.got.count(1)
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            event = await state(database)
            await bus.got.until(lambda: event in {m.id for m in bus.got.items})
            await until_empty(database)
        assert [row.position for row in await rows(engine, EVENTS)] == [1, 2]
    finally:
        await engine.dispose()
        await asyncio.to_thread(server.stop)


class Anybody:
    async def bearer(self, credential: str) -> Principal:
        return Principal("https://iss.example.org", credential)


@pytest_asyncio.fixture
async def api(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    app = create_api(
        title="Test",
        service="test",
        version="1.0.0",
        routers=[
            events_router(database.engine, MemoryBus(), clock=database.clock, operator=require(Scope.OPERATOR))
        ],
        ops=HealthChecks(),
        public_url="https://dmp.example.org",
        cursor_key=b"k" * 32,
    )
    app.state.authenticator = Anybody()
    transport, headers = httpx.ASGITransport(app), {"authorization": "Bearer ann"}
    async with httpx.AsyncClient(
        transport=transport, base_url="https://dmp.example.org", headers=headers
    ) as client:
        yield client


async def test_the_feed_is_gap_free_under_concurrent_writers(database: Database, api: httpx.AsyncClient) -> None:
    writers, each = 8, 25
    stated: list[str] = []
    dice = random.Random(7)

    async def write(writer: int) -> None:
        for version in range(each):
            async with UnitOfWork(database) as uow:
                stated.append(uow.emit(Noted(), subject=f"notes/{writer}", version=version).id)
                # Numbers are drawn in one order and committed in another.
                await uow.conn.execute(sa.text("SELECT pg_sleep(:s)"), {"s": dice.random() * 0.02})

    read: list[str] = []

    async def read_all() -> None:
        after = 0
        async with asyncio.timeout(60):
            while len(read) < writers * each:
                page = (await api.get(f"/events?after={after}&limit=7")).json()
                read.extend(item["id"] for item in page["items"])
                assert page["next"] == after + len(page["items"])
                after = page["next"]

    async with relaying(database, Recorder()), relaying(database, Recorder()):
        await asyncio.gather(read_all(), *(write(n) for n in range(writers)))
    assert len(read) == len(set(read)) == writers * each
    assert sorted(read) == sorted(stated)


async def test_a_consumer_on_the_bus_sees_each_subject_in_order(database: Database) -> None:
    bus, seen = MemoryBus(), Seen()
    await bus.start()
    await bus.subscribe([Subscription("reader", "notes", (Noted.fact,), seen)])
    async with relaying(database, bus):
        for version in range(30):
            await state(database, subject=f"notes/{version % 3}", version=version)
        await seen.count(30)
    await bus.stop()
    for subject in ("notes/0", "notes/1", "notes/2"):
        versions = [event.version for event in seen.items if event.subject == subject]
        assert versions == sorted(versions)
