"""Leased jobs: run once, taken over from the dead, tried again, parked, asked for again while running."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from indigo_kernel.db.jobs import Later, Worker, free_leases
from indigo_kernel.db.uow import Database, Job, UnitOfWork


@contextlib.asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[None]:
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        await worker.stop()
        await asyncio.wait_for(task, 10)


async def jobs(database: Database) -> list:
    async with database.engine.connect() as conn:
        return list((await conn.execute(sa.text("SELECT key, attempts, parked_at, last_error FROM jobs"))).all())


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_each_job_has_its_effect_once_with_two_workers(database: Database) -> None:
    async def handle(job: Job) -> None:
        async with UnitOfWork(database) as uow:
            await uow.conn.execute(sa.text("INSERT INTO effects VALUES (:name)"), {"name": job.payload["n"]})
            await uow.finish(job)

    async with UnitOfWork(database) as uow:
        for n in range(60):
            await uow.enqueue("count", str(n), {"n": str(n)})

    async def done() -> bool:
        return not await jobs(database)

    async with running(Worker(database, "count", handle)), running(Worker(database, "count", handle)):
        await until(done)
    async with database.engine.connect() as conn:
        names = (await conn.execute(sa.text("SELECT name FROM effects"))).scalars().all()
    assert sorted(names, key=int) == [str(n) for n in range(60)]


async def test_a_job_enqueued_while_the_worker_waits_runs_without_waiting_for_the_poll(database: Database) -> None:
    ran = asyncio.Event()

    async def handle(job: Job) -> None:
        ran.set()

    async with running(Worker(database, "wake", handle)):
        async with UnitOfWork(database) as uow:
            await uow.enqueue("wake", "k", {})
        await asyncio.wait_for(ran.wait(), 5)


async def test_a_dead_workers_job_is_taken_over_when_its_lease_ends(database: Database) -> None:
    started, taken_over = asyncio.Event(), asyncio.Event()

    async def hang(job: Job) -> None:
        started.set()
        await asyncio.Event().wait()

    async def handle(job: Job) -> None:
        assert job.attempts == 2
        taken_over.set()

    async with UnitOfWork(database) as uow:
        await uow.enqueue("lease", "k", {})
    dead = asyncio.create_task(Worker(database, "lease", hang, lease=timedelta(hours=1)).run())
    await asyncio.wait_for(started.wait(), 5)
    dead.cancel()  # its job task is never resumed: as good as killed
    async with running(Worker(database, "lease", handle)):
        assert (await jobs(database))[0].attempts == 1
        database.clock.advance(timedelta(hours=2))
        await asyncio.wait_for(taken_over.wait(), 5)


async def test_freed_leases_are_not_waited_for(database: Database) -> None:
    started, taken_over = asyncio.Event(), asyncio.Event()

    async def hang(job: Job) -> None:
        started.set()
        await asyncio.Event().wait()

    async def handle(job: Job) -> None:
        taken_over.set()

    async with UnitOfWork(database) as uow:
        await uow.enqueue("freed", "k", {})
    dead = asyncio.create_task(Worker(database, "freed", hang, lease=timedelta(hours=1)).run())
    await asyncio.wait_for(started.wait(), 5)
    dead.cancel()
    await free_leases(database.engine)
    async with running(Worker(database, "freed", handle)):
        await asyncio.wait_for(taken_over.wait(), 5)


async def test_a_worker_that_lost_its_lease_cannot_commit(database: Database) -> None:
    inside, go_on, lost = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(job: Job) -> None:
        inside.set()
        await go_on.wait()
        try:
            async with UnitOfWork(database) as uow:
                await uow.conn.execute(sa.text("INSERT INTO effects VALUES ('late')"))
                await uow.finish(job)
        finally:
            lost.set()

    async with UnitOfWork(database) as uow:
        await uow.enqueue("fence", "k", {})
    async with running(Worker(database, "fence", slow, lease=timedelta(hours=1))):
        await asyncio.wait_for(inside.wait(), 5)
        async with database.engine.begin() as conn:
            await conn.execute(sa.text("UPDATE jobs SET lease_token = 'another'"))
        go_on.set()
        await asyncio.wait_for(lost.wait(), 5)
    async with database.engine.connect() as conn:
        assert (await conn.execute(sa.text("SELECT count(*) FROM effects"))).scalar_one() == 0
    assert len(await jobs(database)) == 1


async def test_a_job_asked_for_again_while_it_runs_runs_once_more(database: Database) -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()
    seen: list[int] = []

    async def handle(job: Job) -> None:
        seen.append(job.payload["n"])
        inside.set()
        await go_on.wait()

    async with UnitOfWork(database) as uow:
        await uow.enqueue("again", "k", {"n": 1})
    async with running(Worker(database, "again", handle)):
        await asyncio.wait_for(inside.wait(), 5)
        async with UnitOfWork(database) as uow:
            await uow.enqueue("again", "k", {"n": 2})
        go_on.set()

        async def done() -> bool:
            return not await jobs(database)

        await until(done)
    assert seen == [1, 2]


@pytest.mark.parametrize("error", [Later(timedelta(hours=1)), ValueError("an older wish")])
async def test_what_is_asked_for_while_a_job_runs_does_not_wait_for_the_pause_after_it(
    database: Database, error: Exception
) -> None:
    inside, go_on, again = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(job: Job) -> None:
        if job.payload["n"] == 2:
            assert job.attempts == 1
            again.set()
            return
        inside.set()
        await go_on.wait()
        raise error

    async with UnitOfWork(database) as uow:
        await uow.enqueue("news", "k", {"n": 1})
    async with running(Worker(database, "news", handle)):
        await asyncio.wait_for(inside.wait(), 5)
        async with UnitOfWork(database) as uow:
            await uow.enqueue("news", "k", {"n": 2})
        go_on.set()
        await asyncio.wait_for(again.wait(), 5)  # time stands still: no pause ends


async def test_a_failing_job_is_parked_with_its_reason_and_told(database: Database) -> None:
    given_up: list[tuple[str, str]] = []

    async def handle(job: Job) -> None:
        raise ValueError(f"try {job.attempts}")

    async def give_up(job: Job, error: BaseException) -> None:
        given_up.append((job.key, str(error)))

    async with UnitOfWork(database) as uow:
        await uow.enqueue("park", "k", {})
    worker = Worker(database, "park", handle, max_attempts=3, give_up=give_up)
    async with running(worker):

        async def parked() -> bool:
            database.clock.advance(timedelta(minutes=1))
            return (await jobs(database))[0].parked_at is not None

        await until(parked)
    assert given_up == [("k", "try 3")]
    assert "try 3" in (await jobs(database))[0].last_error


async def test_a_job_asked_for_again_while_its_last_try_fails_is_not_parked(database: Database) -> None:
    given_up: list[str] = []

    async def handle(job: Job) -> None:
        if job.payload["n"] == 2:
            return
        async with UnitOfWork(database) as uow:
            await uow.enqueue("last", "k", {"n": 2})
        raise ValueError("an older wish")

    async def give_up(job: Job, error: BaseException) -> None:
        given_up.append(job.key)

    async with UnitOfWork(database) as uow:
        await uow.enqueue("last", "k", {"n": 1})
    async with running(Worker(database, "last", handle, max_attempts=1, give_up=give_up)):

        async def done() -> bool:
            return not await jobs(database)

        await until(done)
    assert given_up == []


@pytest.mark.parametrize("reason", ["no \0 tape", "half \ud800"])
async def test_a_reason_that_cannot_be_stored_as_it_is_stops_no_job(database: Database, reason: str) -> None:
    tries = asyncio.Queue[int]()

    async def handle(job: Job) -> None:
        tries.put_nowait(job.attempts)
        if tries.qsize() == 1:
            raise Later(timedelta(0), reason)
        if tries.qsize() == 2:
            raise ValueError(reason)

    async with UnitOfWork(database) as uow:
        await uow.enqueue("odd", "k", {})
    async with running(Worker(database, "odd", handle)):

        async def done() -> bool:
            database.clock.advance(timedelta(seconds=5))  # not as long as a lease
            return not await jobs(database)

        await until(done)
    assert [tries.get_nowait() for _ in range(3)] == [1, 1, 2]


async def test_later_does_not_count_as_a_failure(database: Database) -> None:
    calls = 0
    done = asyncio.Event()

    async def handle(job: Job) -> None:
        nonlocal calls
        calls += 1
        assert job.attempts == 1
        if calls < 5:
            raise Later(timedelta(minutes=5), "the tape is not back")
        done.set()

    async with UnitOfWork(database) as uow:
        await uow.enqueue("later", "k", {})
    async with running(Worker(database, "later", handle, max_attempts=2)):

        async def moved() -> bool:
            database.clock.advance(timedelta(minutes=6))
            return done.is_set()

        await until(moved)
    assert calls == 5


async def test_what_waits_is_brought_forward_in_its_order(database: Database) -> None:
    """But for what is at work, what is parked, and what begins otherwise."""
    began = database.clock.now()
    keys = ["x/late", "x/soon", "x/running", "x/parked", "y/other", "x/due"]
    hours = dict(zip(keys, (5, 3, 4, 4, 4, 0), strict=True))
    async with UnitOfWork(database) as uow:
        for key, hour in hours.items():
            await uow.enqueue("wait", key, {}, run_at=began + timedelta(hours=hour))
        await uow.enqueue("rest", "x/rest", {}, run_at=began + timedelta(hours=1))
        await uow.conn.execute(sa.text("UPDATE jobs SET lease_until = run_at WHERE key = 'x/running'"))
        await uow.conn.execute(sa.text("UPDATE jobs SET parked_at = run_at WHERE key = 'x/parked'"))
    database.clock.advance(timedelta(minutes=1))
    async with UnitOfWork(database) as uow:
        await uow.bring_forward("wait", ["x/", "z/"], timedelta(seconds=2))
    async with database.engine.connect() as conn:
        rows = (await conn.execute(sa.text("SELECT key, run_at FROM jobs"))).all()
    now = database.clock.now()
    turns = {"x/due": 0, "x/soon": 2, "x/late": 4}
    assert {row.key: row.run_at for row in rows} == {
        **{key: began + timedelta(hours=hour) for key, hour in hours.items()},
        "x/rest": began + timedelta(hours=1),
        **{key: now + timedelta(seconds=seconds) for key, seconds in turns.items()},
    }


async def test_a_job_that_is_called_off_runs_no_more_unless_it_runs_already(database: Database) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handle(job: Job) -> None:
        started.set()
        await go_on.wait()

    async with UnitOfWork(database) as uow:
        await uow.enqueue("work", "waits", {}, run_at=uow.now + timedelta(hours=1))
        await uow.enqueue("work", "runs", {})
    async with running(Worker(database, "work", handle)):
        await asyncio.wait_for(started.wait(), 5)
        async with UnitOfWork(database) as uow:
            await uow.call_off("work", "waits")
            await uow.call_off("work", "runs")
        assert [row.key for row in await jobs(database)] == ["runs"]
        go_on.set()

        async def done() -> bool:
            return not await jobs(database)

        await until(done)
