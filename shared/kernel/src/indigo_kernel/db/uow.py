"""The unit of work: state, events, inbox and jobs change together or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from indigo_contracts.envelope import Envelope, Fact
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from indigo_kernel.clock import Clock
from indigo_kernel.context import current
from indigo_kernel.ids import new_id

# One statement for all events and the relay's wake-up: every statement costs a round trip before the commit.
_INSERT_OUTBOX = sa.text(
    "WITH stated AS (INSERT INTO outbox (event_id, fact, subject, body) SELECT * FROM unnest("
    "CAST(:event_ids AS text[]), CAST(:facts AS text[]), CAST(:subjects AS text[]), CAST(:bodies AS text[])"
    ")) SELECT pg_notify('outbox', '')"
)
_INSERT_INBOX = sa.text(
    "INSERT INTO inbox (consumer, event_id) VALUES (:consumer, :event_id)"
    " ON CONFLICT DO NOTHING RETURNING event_id"
)
_INSERT_JOB = sa.text(
    "INSERT INTO jobs (id, kind, key, payload, run_at, traceparent, correlation_id, causation_id)"
    " VALUES (:id, :kind, :key, CAST(:payload AS jsonb), :run_at, :traceparent, :correlation_id, :causation_id)"
    " ON CONFLICT (kind, key) DO UPDATE SET payload = excluded.payload, revision = jobs.revision + 1,"
    " run_at = least(jobs.run_at, excluded.run_at), attempts = 0, parked_at = NULL"
)
_NOTIFY_JOBS = sa.text("NOTIFY jobs")
# Who holds a row is about to work on it, and puts it off itself.
_PUT_OFF = sa.text(
    "UPDATE jobs SET run_at = :until WHERE id IN (SELECT id FROM jobs WHERE kind = :kind AND run_at < :until"
    " AND lease_until IS NULL AND parked_at IS NULL"
    " AND EXISTS (SELECT FROM unnest(CAST(:beginnings AS text[])) AS one WHERE starts_with(key, one))"
    " FOR UPDATE SKIP LOCKED)"
)
_BRING_FORWARD = sa.text(
    "WITH waiting AS (SELECT id, run_at FROM jobs WHERE kind = :kind AND lease_until IS NULL AND parked_at IS NULL"
    " AND EXISTS (SELECT FROM unnest(CAST(:beginnings AS text[])) AS one WHERE starts_with(key, one))"
    " FOR UPDATE SKIP LOCKED),"
    " turns AS (SELECT id, row_number() OVER (ORDER BY run_at, id) - 1 AS turn FROM waiting)"
    " UPDATE jobs SET run_at = CAST(:now AS timestamptz) + turns.turn * CAST(:each AS interval)"
    " FROM turns WHERE jobs.id = turns.id"
)
_CALL_OFF = sa.text("DELETE FROM jobs WHERE kind = :kind AND key = :key AND lease_token IS NULL")
_LOCK_JOB = sa.text("SELECT revision FROM jobs WHERE id = :id AND lease_token = :token FOR UPDATE")
_DELETE_JOB = sa.text("DELETE FROM jobs WHERE id = :id")
_RELEASE_JOB = sa.text("UPDATE jobs SET lease_token = NULL, lease_until = NULL, attempts = 0 WHERE id = :id")


class LeaseLost(Exception):
    """The job was taken over by another worker; what this one did is rolled back."""


@dataclass(slots=True)
class Job:
    """A claimed job. ``attempts`` counts this try."""

    id: str
    kind: str
    key: str
    payload: dict[str, Any]
    attempts: int
    revision: int
    lease_token: str
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Database:
    """What a unit of work needs, fixed for the life of a service. ``source`` is the service's public URL."""

    engine: AsyncEngine
    clock: Clock
    source: str


class UnitOfWork:
    """One transaction, entered at the edge (a route, a consumer, a worker) and committed once, on leaving.

    Services subclass it and add their repositories in ``open``. An exception rolls everything back.
    """

    conn: AsyncConnection
    now: datetime

    def __init__(self, database: Database) -> None:
        self._database = database
        self._outbox: list[tuple[str, str, str, str]] = []
        self._jobs_waiting = False
        self._after_commit: list[Callable[[], None]] = []

    async def open(self) -> None:
        """Build the repositories over ``self.conn``. Nothing in the kernel's own unit of work."""

    async def __aenter__(self) -> Self:
        self.conn = await self._database.engine.connect()
        self.now = self._database.clock.now()
        await self.open()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            if exc_type is None:
                await self._commit()
        finally:
            await self.conn.close()  # rolls back what was not committed

    async def _commit(self) -> None:
        if self._outbox:
            columns = ("event_ids", "facts", "subjects", "bodies")
            await self.conn.execute(
                _INSERT_OUTBOX, dict(zip(columns, map(list, zip(*self._outbox, strict=True)), strict=True))
            )
        if self._jobs_waiting:
            await self.conn.execute(_NOTIFY_JOBS)
        await self.conn.commit()
        for call in self._after_commit:
            call()

    def emit(self, fact: Fact, *, subject: str, version: int) -> Envelope:
        """State a fact about ``subject`` (``plans/<id>``) at aggregate ``version``; published after the commit."""
        context = current()
        envelope = Envelope.of(
            fact,
            id=new_id(),
            source=self._database.source,
            subject=subject,
            version=version,
            time=self.now,
            correlationid=context.correlation_id,
            causationid=context.causation_id,
            traceparent=context.traceparent,
        )
        self._outbox.append((envelope.id, fact.fact, subject, envelope.wire().decode()))
        return envelope

    async def first_time(self, consumer: str, event_id: str) -> bool:
        """Note that ``consumer`` applies this event; False when it did so before (inbox)."""
        row = await self.conn.execute(_INSERT_INBOX, {"consumer": consumer, "event_id": event_id})
        return row.first() is not None

    async def enqueue(
        self, kind: str, key: str, payload: dict[str, Any], *, run_at: datetime | None = None
    ) -> None:
        """Record a job for a leased worker (``indigo_kernel.db.jobs``).

        One job exists per ``kind`` and ``key``: asking again replaces the payload, and if the job is running
        just now it runs once more afterwards.
        """
        context = current()
        await self.conn.execute(
            _INSERT_JOB,
            {
                "id": new_id(),
                "kind": kind,
                "key": key,
                "payload": json.dumps(payload),
                "run_at": run_at or self.now,
                "traceparent": context.traceparent,
                "correlation_id": context.correlation_id,
                "causation_id": context.causation_id,
            },
        )
        self._jobs_waiting = True

    async def put_off(self, kind: str, beginnings: Collection[str], until: datetime) -> None:
        """Let no job whose key begins like this run before ``until``; those that are at work just now go on."""
        await self.conn.execute(_PUT_OFF, {"kind": kind, "beginnings": list(beginnings), "until": until})

    async def bring_forward(self, kind: str, beginnings: Collection[str], each: timedelta) -> None:
        """Let jobs whose key begins like this run from now on, in their order, ``each`` after the one before."""
        parameters = {"kind": kind, "beginnings": list(beginnings), "now": self.now, "each": each}
        await self.conn.execute(_BRING_FORWARD, parameters)
        self._jobs_waiting = True

    async def call_off(self, kind: str, key: str) -> None:
        """Remove a job, unless it runs just now: it then finds nothing to do."""
        await self.conn.execute(_CALL_OFF, {"kind": kind, "key": key})

    async def finish(self, job: Job) -> None:
        """Remove a job in the transaction of its effect. Raises ``LeaseLost`` when another worker has it now."""
        row = await self.conn.execute(_LOCK_JOB, {"id": job.id, "token": job.lease_token})
        revision = row.scalar_one_or_none()
        if revision is None:
            raise LeaseLost(job.kind, job.key)
        if revision == job.revision:
            await self.conn.execute(_DELETE_JOB, {"id": job.id})
        else:  # asked for again while it ran
            await self.conn.execute(_RELEASE_JOB, {"id": job.id})
            self._jobs_waiting = True
        job.finished = True

    def after_commit(self, call: Callable[[], None]) -> None:
        """Run ``call`` when, and only when, the transaction is committed (cache invalidation, wake-ups)."""
        self._after_commit.append(call)
