"""The relay: hands the events of the outbox to the bus and numbers them for the feed.

One relay per database works, the others wait for its place: the place is a session advisory lock, and all
work goes over the connection that holds it, so who loses the lock cannot write any more. That makes the
position of an event (``max + 1``) gap-free and visible in order, and keeps the order within a subject.

Publishing comes first, the move from ``outbox`` to ``events`` after it: a crash in between publishes twice
and never loses. The connection must reach PostgreSQL itself or through a session pooler.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from indigo_kernel.bus.ports import Message, Outcome
from indigo_kernel.bus.wire import CLAIM_CHECK_BYTES, claim_check
from indigo_kernel.clock import Clock, SystemClock
from indigo_kernel.db.tables import kernel_tables

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PENDING = Gauge("indigo_outbox_pending", "Events not yet handed to the bus", ["service"])
OLDEST = Gauge("indigo_outbox_oldest_seconds", "Age of the oldest event not yet handed to the bus", ["service"])
PUBLISHED = Counter(
    "indigo_outbox_published_total", "Publications of events by what the bus answered", ["service", "result"]
)

LOCK = 0x1D161
"""The advisory lock of the relay at work; locks are per database."""

POLL_SECONDS = 1.0
"""How long the relay waits for a notification before it looks by itself."""

MEASURE_SECONDS = 10.0
"""How old the gauges may be: counting holds up the events that come meanwhile."""

LONGEST_BACK_OFF = timedelta(seconds=60)
"""An event whose fate is unknown is tried again within this time."""

RECONNECT_SECONDS = (0.1, 5.0)
"""The first and the longest pause before the database is asked again; doubled in between."""

_metadata = sa.MetaData()
kernel_tables(_metadata)
OUTBOX = _metadata.tables["outbox"]
EVENTS = _metadata.tables["events"]


# One statement, because each costs a round trip while the next events wait. An event the service stated a second
# time is published again but keeps its number: it is left out before the others are numbered.
_MOVE = sa.text(
    "WITH sent AS (DELETE FROM outbox WHERE id = ANY(CAST(:ids AS bigint[]))"
    " RETURNING id, event_id, fact, subject, body)"
    " INSERT INTO events (position, event_id, fact, subject, body)"
    " SELECT (SELECT coalesce(max(position), 0) FROM events) + row_number() OVER (ORDER BY id),"
    " event_id, fact, subject, body FROM sent"
    " WHERE NOT EXISTS (SELECT FROM events WHERE events.event_id = sent.event_id)"
)


class Publishes(Protocol):
    """The part of a bus the relay needs."""

    async def publish(self, batch: Sequence[Message]) -> list[Outcome]: ...


class Relay:
    """``await relay.run()`` in a task of its own; ``await relay.stop()`` ends it after the running batch."""

    def __init__(
        self,
        engine: AsyncEngine,
        bus: Publishes,
        *,
        service: str,
        clock: Clock | None = None,
        batch: int = 100,
    ) -> None:
        self._engine = engine
        self._bus = bus
        self._service = service
        self._clock = clock or SystemClock()
        self._batch = batch
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._doubts = True
        """Whether events may wait whose fate is unknown; only the relay at work makes such, so it knows."""

    async def stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Work until ``stop``; a database that goes away is waited for."""
        pause, longest = RECONNECT_SECONDS
        failures = 0
        while not self._stopping.is_set():
            try:
                async with self._place() as connection:
                    self._doubts = True  # those of the relay that was here before
                    if failures:
                        log.info("relay.recovered", service=self._service, failures=failures)
                    failures = 0
                    try:
                        await self._work(connection)
                    finally:
                        # Whoever works now measures; an old value would be taken for the present one.
                        PENDING.remove(self._service)
                        OLDEST.remove(self._service)
            except Exception as error:  # noqa: BLE001 - whatever it was, a new connection starts afresh
                failures += 1
                if failures == 1:
                    log.warning(
                        "relay.interrupted",
                        service=self._service,
                        error_type=type(error).__name__,
                        error=str(error),
                    )
                await self._nap(random.uniform(0.5, 1.0) * min(pause * 2.0 ** min(failures, 10), longest))  # noqa: S311

    async def _nap(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[AsyncConnection]:
        """A connection of our own that holds the relay's lock and hears ``NOTIFY outbox``."""
        connection = await self._engine.connect()
        try:
            while not await self._lock(connection):
                await self._nap(POLL_SECONDS)
                if self._stopping.is_set():
                    break  # without the lock, but nothing is done with the connection any more
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            await driver.add_listener("outbox", self._notified)
            driver.add_termination_listener(self._notified)
            await connection.rollback()
            yield connection
        finally:
            # Closing it for good, not back to the pool, gives the lock and the listener back whatever happened.
            await connection.invalidate()
            await connection.close()

    async def _lock(self, connection: AsyncConnection) -> bool:
        taken = await connection.scalar(sa.select(sa.func.pg_try_advisory_lock(LOCK)))
        await connection.commit()
        return bool(taken)

    def _notified(self, *_: object) -> None:
        self._wake.set()

    async def _work(self, connection: AsyncConnection) -> None:
        loop = asyncio.get_running_loop()
        measured = float("-inf")
        while not self._stopping.is_set():
            self._wake.clear()
            if loop.time() - measured >= MEASURE_SECONDS:
                await self._measure(connection)
                measured = loop.time()
            if await self._relay_batch(connection):
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()

    async def _measure(self, connection: AsyncConnection) -> None:
        age = sa.func.extract("epoch", sa.func.clock_timestamp() - sa.func.min(OUTBOX.c.created_at))
        pending, oldest = (await connection.execute(sa.select(sa.func.count(), age).select_from(OUTBOX))).one()
        await connection.commit()
        PENDING.labels(self._service).set(pending)
        OLDEST.labels(self._service).set(max(0.0, float(oldest or 0)))

    async def _relay_batch(self, connection: AsyncConnection) -> bool:
        """Publish what is due; whether it is worth looking for more at once."""
        rows = await self._claim(connection)
        if not rows:
            await connection.rollback()
            return False
        outcomes = await self._publish(rows)
        sent = [row for row in rows if outcomes.get(row.id) in {Outcome.ACCEPTED, Outcome.UNROUTABLE}]
        doubtful = [row for row in rows if outcomes.get(row.id) is Outcome.UNKNOWN]
        if sent:
            await self._move(connection, sent)
        if doubtful:
            await self._postpone(connection, doubtful)
        await connection.commit()
        for row in (*sent, *doubtful):
            PUBLISHED.labels(self._service, outcomes[row.id].value).inc()
            if outcomes[row.id] is Outcome.UNROUTABLE:
                log.info("event.unroutable", service=self._service, fact=row.fact, event_id=row.event_id)
        # When nothing got through the bus is away: the next batch can wait for the next look.
        return bool(sent)

    async def _claim(self, connection: AsyncConnection) -> Sequence[sa.Row[Any]]:
        """The next rows in order, without those that wait and without what must not overtake them."""
        now = self._clock.now()
        # A row never tried is due whatever its time says: that is the database's clock, ``now`` is ours.
        waiting = sa.and_(OUTBOX.c.attempts > 0, OUTBOX.c.next_attempt_at > now)
        held: Sequence[str] = ()
        if self._doubts:
            held = (await connection.scalars(sa.select(OUTBOX.c.subject).where(waiting).distinct())).all()
            self._doubts = bool(held)
        query = sa.select(OUTBOX).where(~waiting).order_by(OUTBOX.c.id).limit(self._batch)
        if held:
            first = OUTBOX.alias("first")
            earlier = sa.exists().where(
                first.c.subject == OUTBOX.c.subject,
                first.c.id < OUTBOX.c.id,
                first.c.attempts > 0,
                first.c.next_attempt_at > now,
            )
            query = query.where(
                ~sa.and_(OUTBOX.c.subject == sa.any_(sa.literal(held, sa.ARRAY(sa.Text))), earlier)
            )
        return (await connection.execute(query.with_for_update(skip_locked=True, of=OUTBOX))).all()

    async def _publish(self, rows: Sequence[sa.Row[Any]]) -> dict[int, Outcome]:
        """Publish in waves of one event per subject, so that none overtakes one whose fate is unknown.

        Rows held back behind such a one have no outcome of their own: they stay as they are.
        """
        outcomes: dict[int, Outcome] = {}
        stuck: set[str] = set()
        left = list(rows)
        while left:
            wave: dict[str, sa.Row[Any]] = {}
            later = []
            for row in left:
                if row.subject in stuck:
                    continue
                if row.subject in wave:
                    later.append(row)
                else:
                    wave[row.subject] = row
            for row, outcome in zip(wave.values(), await self._publish_wave(list(wave.values())), strict=True):
                outcomes[row.id] = outcome
                if outcome is Outcome.UNKNOWN:
                    stuck.add(row.subject)
            left = later
        return outcomes

    async def _publish_wave(self, rows: Sequence[sa.Row[Any]]) -> list[Outcome]:
        try:
            return await self._bus.publish([_message(row) for row in rows])
        except Exception:
            log.exception("relay.publish_failed", service=self._service)
            return [Outcome.UNKNOWN] * len(rows)

    async def _move(self, connection: AsyncConnection, rows: Sequence[sa.Row[Any]]) -> None:
        await connection.execute(_MOVE, {"ids": [row.id for row in rows]})

    async def _postpone(self, connection: AsyncConnection, rows: Sequence[sa.Row[Any]]) -> None:
        self._doubts = True
        now = self._clock.now()
        await connection.execute(
            sa.update(OUTBOX)
            .where(OUTBOX.c.id == sa.bindparam("row_id"))
            .values(
                attempts=OUTBOX.c.attempts + 1,
                next_attempt_at=sa.bindparam("due"),
                last_error="the bus did not confirm the event in time",
            ),
            [{"row_id": row.id, "due": _due(now, row.attempts)} for row in rows],
        )


def _due(now: datetime, attempts: int) -> datetime:
    """When to try again: exponential back-off with full jitter."""
    longest = min(timedelta(seconds=2.0 ** min(attempts, 10)), LONGEST_BACK_OFF)
    return now + longest * random.random()  # noqa: S311 - jitter


def _message(row: sa.Row[Any]) -> Message:
    body = row.body.encode()
    return Message(
        id=row.event_id,
        routing_key=row.fact,
        subject=row.subject,
        body=claim_check(body) if len(body) > CLAIM_CHECK_BYTES else body,
    )
