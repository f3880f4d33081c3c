"""A registrar that does not answer: left alone, blocking nothing, and asked for all that waits when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from indigo_contracts.repository import RecordPublished, RecordState
from indigo_kernel.clock import ManualClock
from indigo_kernel.db.engine import create_engine
from indigo_kernel.db.jobs import Worker
from indigo_kernel.http.server import listen, serving
from indigo_pid.application.reconcile import Reconciler
from indigo_pid.sandbox.app import SandboxRegistrar, create_sandbox
from indigo_pid.sandbox.store import SandboxStore
from indigo_testing.ill_registrar import ACCOUNT, Ill, ill_registrar
from starlette.responses import PlainTextResponse


@pytest.fixture
async def registrar(databases) -> AsyncIterator[Ill]:
    async with ill_registrar(await databases.empty("registrar")) as ill:
        yield ill


@pytest.fixture
async def pid(start_pid, registrar) -> AsyncIterator[Any]:
    async with start_pid(**registrar.settings) as running:
        yield running


async def test_a_registrar_that_is_gone_is_left_alone_and_everything_recovers(start_pid, databases, record):
    engine = create_engine(await databases.empty("registrar"), application="registrar")
    ill = Ill(create_sandbox(SandboxRegistrar(SandboxStore(engine, ManualClock()), ACCOUNT)))
    bound = listen("127.0.0.1", 0)  # nobody answers yet
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    async with start_pid(datacite_url=url, datacite_password=ACCOUNT.password) as pid:
        await pid.deliver(
            *(
                RecordPublished(record=record(f"r{number}", state=RecordState.PUBLISHED, plan=None))
                for number in range(12)
            )
        )
        await pid.work_off()
        first = await pid.http.get("/api/dois?status=pending&limit=7", headers=pid.auth("operator"))
        second = await pid.http.get(first.links["next"]["url"], headers=pid.auth("operator"))
        waiting = first.json()["items"] + second.json()["items"]
        assert len({one["doi"] for one in waiting}) == 12
        assert all(one["reason"] and one["next_try_at"] for one in waiting)
        assert (await pid.http.get("/api/dois")).status_code == 401
        async with serving(ill, bound):
            for _ in range(2):
                pid.clock.advance(timedelta(hours=1, minutes=1))
                await pid.work_off()
            done = await pid.http.get("/api/dois?status=done", headers=pid.auth("operator"))
            assert len(done.json()["items"]) == 12
            assert ill.puts == 12
    await engine.dispose()


async def test_a_day_without_the_registrar(pid, registrar, record):
    """Publications go on, the registrar is asked now and then only, and afterwards nobody has to do anything."""
    well = registrar.app
    registrar.app = PlainTextResponse("down for maintenance", 503)
    began = pid.clock.now()
    published = 0
    while (passed := pid.clock.now() - began) < timedelta(days=1):
        if passed >= published * timedelta(hours=3):
            wanted = record(f"r{published}", state=RecordState.PUBLISHED, plan=None)
            await pid.deliver(RecordPublished(record=wanted))
            published += 1
        await pid.work_off()
        await to_next_job(pid)
    assert published == 8
    # One request a minute at most for all of them, and not much less: so soon it is known to be back.
    assert 24 * 50 <= registrar.puts <= 24 * 60 + 12
    for number in range(published):
        doi = await pid.doi(f"r{number}")
        assert (doi["status"], doi["observed_state"]) == ("pending", None)
        assert doi["reason"]
        assert doi["next_try_at"]
    registrar.app, registrar.puts, well_again = well, 0, pid.clock.now()
    while await to_next_job(pid):
        await pid.work_off()
    assert [(await pid.doi(f"r{number}"))["status"] for number in range(published)] == ["done"] * published
    assert registrar.puts == published
    assert pid.clock.now() - well_again < timedelta(minutes=2)
    assert len(await pid.facts("pid.doi.registered.v1")) == published


async def test_the_first_answer_after_an_outage_brings_all_forward_at_the_rate(start_pid, registrar, record):
    well = registrar.app
    registrar.app = PlainTextResponse("down for maintenance", 503)
    async with start_pid(datacite_url=registrar.url, datacite_password=ACCOUNT.password, datacite_rate=2) as pid:
        names = [f"r{number}" for number in range(12)]
        await pid.deliver(
            *(RecordPublished(record=record(name, state=RecordState.PUBLISHED, plan=None)) for name in names)
        )
        for _ in range(8):
            await pid.work_off()
            await to_next_job(pid)
        async with pid.runtime.database.engine.begin() as conn:  # as after a dozen failures of its own
            later = {"later": pid.clock.now() + timedelta(hours=1), "doi": (await pid.doi("r3"))["doi"]}
            await conn.execute(sa.text("UPDATE jobs SET run_at = :later WHERE key = :doi"), later)
            await conn.execute(sa.text("UPDATE dois SET next_try_at = :later WHERE doi = :doi"), later)
        registrar.app, registrar.puts = well, 0
        while not await pid.facts("pid.doi.registered.v1"):
            await to_next_job(pid)
            await claim_one(pid)
        back_at = pid.clock.now()
        answer = await pid.http.get("/api/dois?status=pending", headers=pid.auth("operator"))
        turns = sorted(datetime.fromisoformat(one["next_try_at"]) - back_at for one in answer.json()["items"])
        assert turns == [number * timedelta(seconds=0.5) for number in range(11)]
        for done in range(2, 13):  # one request for each turn, and each of them does it
            assert await pid.work_off() == 1
            assert registrar.puts == done
            pid.clock.advance(timedelta(seconds=0.5))
        assert len(await pid.facts("pid.doi.registered.v1")) == 12


async def test_another_process_hears_that_the_registrar_is_back(pid, registrar, record):
    """Each counts failures by itself; one that was not told would put off again what the other brought forward."""
    (worker,) = [one for one in pid.runtime.workers if one._kind == "doi"]
    first = worker._handle.__self__
    second = Worker(worker._db, "doi", Reconciler(first._work, first._registrars, pid.clock).handle)
    well = registrar.app
    registrar.app = PlainTextResponse("down for maintenance", 503)
    names = [f"r{number}" for number in range(20)]
    await pid.deliver(
        *(RecordPublished(record=record(name, state=RecordState.PUBLISHED, plan=None)) for name in names)
    )
    for one in (worker, second):
        for _ in range(7):  # until its circuit is open
            await claim_one(pid, one)
    for one in (worker, second) * 6:  # for a minute at last
        await to_next_job(pid)
        await claim_one(pid, one)
    registrar.app, registrar.puts = well, 0
    pid.clock.advance(timedelta(seconds=1))
    while not await pid.facts("pid.doi.registered.v1"):
        await to_next_job(pid)
        await claim_one(pid, worker)
    back_at = pid.clock.now()
    while await to_next_job(pid):
        await claim_one(pid, second)
    assert len(await pid.facts("pid.doi.registered.v1")) == registrar.puts == 20
    assert pid.clock.now() - back_at < timedelta(seconds=5)


async def test_what_waits_for_a_registrar_that_is_down_is_put_off_at_once(pid, registrar, record):
    well = registrar.app
    registrar.app = PlainTextResponse("down for maintenance", 503)
    for number in range(120):
        await pid.deliver(RecordPublished(record=record(f"r{number}", state=RecordState.PUBLISHED, plan=None)))
    assert await pid.work_off() == 100  # one claim; the others were put off by it
    answer = await pid.http.get("/api/dois?status=pending&limit=100", headers=pid.auth("operator"))
    waiting = answer.json()["items"]
    assert len(waiting) == 100
    for doi in waiting:
        assert doi["reason"]
        assert datetime.fromisoformat(doi["next_try_at"]) > pid.clock.now()
    registrar.app = well
    await pid.settle()
    assert len(await pid.facts("pid.doi.registered.v1")) == 120


async def test_what_is_put_off_already_is_not_written_again(pid, registrar, record, monkeypatch):
    """A clock that goes on while a job runs, now slower and now faster, as clocks do."""
    registrar.app = PlainTextResponse("down for maintenance", 503)
    await pid.deliver(RecordPublished(record=record("first", state=RecordState.PUBLISHED, plan=None)))
    for _ in range(12):  # until it is left alone for longer than all of this takes
        await pid.work_off()
        pid.clock.advance(timedelta(hours=1))
    await pid.work_off()
    standing_still, steps = pid.clock.now, count()

    def now() -> datetime:
        pid.clock.advance(timedelta(microseconds=next(steps)))
        return standing_still()

    monkeypatch.setattr(pid.clock, "now", now)
    for number in range(20):
        await pid.deliver(RecordPublished(record=record(f"r{number}", state=RecordState.PUBLISHED, plan=None)))
        assert await pid.work_off() == 1
    async with pid.runtime.database.engine.connect() as conn:
        versions = (await conn.execute(sa.text("SELECT version FROM dois WHERE record_id <> 'first'"))).scalars()
        assert set(versions) == {2}  # as it was made, and put off once


async def to_next_job(pid) -> bool:
    """Let time pass until a job is due; whether there is one."""
    async with pid.runtime.database.engine.connect() as conn:
        due = (await conn.execute(sa.text("SELECT min(run_at) FROM jobs"))).scalar_one()
    if due is not None:
        pid.clock.advance(max(timedelta(0), due - pid.clock.now()))
    return due is not None


async def claim_one(pid, worker: Worker | None = None) -> None:
    """Run the job that is due first."""
    worker = worker or next(one for one in pid.runtime.workers if one._kind == "doi")
    await worker._claim(1)
    if worker._running:
        await asyncio.wait(worker._running)
