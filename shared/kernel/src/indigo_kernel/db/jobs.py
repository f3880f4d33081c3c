"""Leased workers: long work outside of deliveries, taken over when its worker dies.

A job is a row (``UnitOfWork.enqueue``). A worker claims it for a lease, renews the lease while it works,
and removes it in the transaction of its effect (``UnitOfWork.finish``). A worker that is killed loses the
lease, and the next one starts the job again, so handlers are idempotent up to that transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from indigo_contracts.text import storable_text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from indigo_kernel.context import WorkContext, enter, new_context
from indigo_kernel.db.uow import Database, Job, LeaseLost
from indigo_kernel.ids import new_id

log = structlog.get_logger()

_CLAIM = sa.text(
    "UPDATE jobs SET lease_token = :token, lease_until = :until, attempts = attempts + 1 WHERE id IN ("
    " SELECT id FROM jobs WHERE kind = :kind AND parked_at IS NULL AND run_at <= :now"
    " AND (lease_until IS NULL OR lease_until < :now) ORDER BY run_at LIMIT :n FOR UPDATE SKIP LOCKED)"
    " RETURNING id, kind, key, payload, attempts, revision, traceparent, correlation_id, causation_id"
)
_RENEW = sa.text("UPDATE jobs SET lease_until = :until WHERE id = :id AND lease_token = :token")
# What was asked for while the job ran does not wait for what came of an older wish.
_PUT_BACK = sa.text(
    "UPDATE jobs SET lease_token = NULL, lease_until = NULL, last_error = :error,"
    " run_at = CASE WHEN revision = :revision THEN :run_at ELSE least(run_at, :run_at) END,"
    " attempts = greatest(attempts - :uncount, 0) WHERE id = :id AND lease_token = :token"
)
_PARK = sa.text(
    "UPDATE jobs SET lease_token = NULL, lease_until = NULL, parked_at = :now, last_error = :error"
    " WHERE id = :id AND lease_token = :token AND revision = :revision"
)
_DONE = sa.text("DELETE FROM jobs WHERE id = :id AND lease_token = :token AND revision = :revision")
_AGAIN = sa.text(
    "UPDATE jobs SET lease_token = NULL, lease_until = NULL, attempts = 0"
    " WHERE id = :id AND lease_token = :token AND revision <> :revision"
)
_FREE = sa.text("UPDATE jobs SET lease_token = NULL, lease_until = NULL WHERE lease_token IS NOT NULL")

POLL = 1.0
"""Seconds between looks at the table when no notification comes."""


class Later(Exception):
    """Not now: run the job again ``after`` this long. It does not count as a failure."""

    def __init__(self, after: timedelta, reason: str = "") -> None:
        super().__init__(reason)
        self.after = after


async def free_leases(engine: AsyncEngine) -> None:
    """End every lease, before the first worker starts, where this process has all the workers there are.

    What a killed predecessor was doing is then taken up at once. Were it alive after all, it would find its
    lease lost, and the work would be done by the other.
    """
    async with engine.begin() as conn:
        await conn.execute(_FREE)


Handle = Callable[[Job], Awaitable[None]]
GiveUp = Callable[[Job, BaseException], Awaitable[None]]


class Worker:
    """Runs the jobs of one kind, ``concurrency`` at a time.

    A job that fails is tried again after ``2**attempts`` seconds (full jitter, at most ``max_delay``); after
    ``max_attempts`` it is parked and ``give_up`` is told, so that its owner can say what became of it.
    """

    def __init__(
        self,
        database: Database,
        kind: str,
        handle: Handle,
        *,
        concurrency: int = 4,
        lease: timedelta = timedelta(seconds=60),
        max_attempts: int = 10,
        max_delay: timedelta = timedelta(minutes=10),
        give_up: GiveUp | None = None,
    ) -> None:
        self._db = database
        self._kind = kind
        self._handle = handle
        self._concurrency = concurrency
        self._lease = lease
        self._max_attempts = max_attempts
        self._max_delay = max_delay
        self._give_up = give_up
        self._running: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        """Work until ``stop``; a lost database is waited for."""
        failures = 0
        while not self._stopping:
            try:
                async with self._listening():
                    failures = 0
                    await self._loop()
            except (OSError, SQLAlchemyError) as error:
                failures += 1
                if failures == 1:
                    log.warning("worker.database_lost", kind=self._kind, error=str(error))
                await asyncio.sleep(min(5.0, 0.1 * 2**failures))
        if self._running:
            await asyncio.wait(self._running)

    async def stop(self) -> None:
        """Take no more jobs; ``run`` returns when the running ones have ended."""
        self._stopping = True
        self._wake.set()

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        async with self._db.engine.connect() as conn:
            await conn.execution_options(isolation_level="AUTOCOMMIT")
            driver = (await conn.get_raw_connection()).driver_connection
            assert driver is not None

            def notified(*_: object) -> None:
                self._wake.set()

            await driver.add_listener("jobs", notified)
            try:
                yield
            finally:
                with contextlib.suppress(Exception):
                    # the connection may be gone already; closing it removes the listener anyway
                    await driver.remove_listener("jobs", notified)

    async def _loop(self) -> None:
        while not self._stopping:
            self._wake.clear()
            free = self._concurrency - len(self._running)
            claimed = await self._claim(free) if free > 0 else 0
            if claimed and claimed == free:
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), POLL)

    async def _claim(self, count: int) -> int:
        now = self._db.clock.now()
        token = new_id()
        async with self._db.engine.begin() as conn:
            rows = (
                await conn.execute(
                    _CLAIM,
                    {
                        "token": token,
                        "until": now + self._lease,
                        "now": now,
                        "kind": self._kind,
                        "n": count,
                    },
                )
            ).all()
        for row in rows:
            job = Job(row.id, row.kind, row.key, row.payload, row.attempts, row.revision, token)
            context = new_context(
                row.traceparent, correlation_id=row.correlation_id, causation_id=row.causation_id
            )
            task = asyncio.create_task(self._work(job, context))
            self._running.add(task)
            task.add_done_callback(self._ended)
        return len(rows)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("job.settling_failed", kind=self._kind, error=repr(error))  # the lease will expire

    async def _work(self, job: Job, context: WorkContext) -> None:
        enter(context)
        renewing = asyncio.create_task(self._renew(job))
        try:
            if job.attempts > self._max_attempts:
                raise RuntimeError("its worker died at every attempt")
            await self._handle(job)
            if not job.finished:
                await self._settle(job)
        except LeaseLost:
            log.warning("job.lease_lost", kind=job.kind, key=job.key)
        except Later as later:
            await self._put_back(job, later.after, str(later), uncount=True)
        except Exception as error:  # noqa: BLE001 - whatever a job raises is its failure, told below
            await self._failed(job, error)
        finally:
            renewing.cancel()

    async def _settle(self, job: Job) -> None:
        async with self._db.engine.begin() as conn:
            if not (await conn.execute(_DONE, _claimed(job))).rowcount:
                await conn.execute(_AGAIN, _claimed(job))

    async def _failed(self, job: Job, error: Exception) -> None:
        told = {"kind": job.kind, "key": job.key, "attempt": job.attempts, "error": repr(error)}
        if job.attempts < self._max_attempts:
            delay = random.uniform(0, min(2.0**job.attempts, self._max_delay.total_seconds()))  # noqa: S311
            log.warning("job.failed", **told, exc_info=error)
            await self._put_back(job, timedelta(seconds=delay), repr(error))
            return
        async with self._db.engine.begin() as conn:
            again = (await conn.execute(_AGAIN, _claimed(job))).rowcount
        if again:  # somebody asked for it while it ran: that is another job
            log.warning("job.failed", **told, exc_info=error)
            return
        log.error("job.parked", **told, exc_info=error)
        if self._give_up:
            await self._give_up(job, error)
        async with self._db.engine.begin() as conn:
            await conn.execute(
                _PARK, {**_claimed(job), "now": self._db.clock.now(), "error": storable_text(repr(error))}
            )

    async def _put_back(self, job: Job, after: timedelta, error: str, *, uncount: bool = False) -> None:
        async with self._db.engine.begin() as conn:
            await conn.execute(
                _PUT_BACK,
                {
                    **_claimed(job),
                    "run_at": self._db.clock.now() + after,
                    "error": storable_text(error),
                    "uncount": int(uncount),
                },
            )

    async def _renew(self, job: Job) -> None:
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            try:
                async with self._db.engine.begin() as conn:
                    await conn.execute(
                        _RENEW,
                        {
                            "id": job.id,
                            "token": job.lease_token,
                            "until": self._db.clock.now() + self._lease,
                        },
                    )
            except (OSError, DBAPIError) as error:
                log.warning("job.renewal_failed", kind=job.kind, key=job.key, error=str(error))


def _claimed(job: Job) -> dict[str, Any]:
    """The job as it was claimed."""
    return {"id": job.id, "token": job.lease_token, "revision": job.revision}
