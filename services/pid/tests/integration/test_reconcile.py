"""The reconciler against a registrar that is ill: a real server whose answers are spoiled on their way out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from indigo_contracts.repository import RecordPublished, RecordState, RecordUpdated, RecordWithdrawn
from indigo_kernel.clock import ManualClock
from indigo_kernel.db.engine import create_engine
from indigo_kernel.db.jobs import Worker
from indigo_kernel.http.server import listen, serving
from indigo_pid.application.reconcile import Reconciler
from indigo_pid.sandbox.app import Account, SandboxRegistrar, create_sandbox
from indigo_pid.sandbox.store import SandboxStore
from starlette.responses import JSONResponse, PlainTextResponse

ACCOUNT = Account("INDIGO.REPO", "secret", frozenset({"10.5072"}))


class Ill:
    """A sandbox whose next answers to PUT are spoiled as ``script`` says; then it is well."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.script: deque[Any] = deque()
        self.puts = 0
        self.url = ""

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http" or scope["method"] != "PUT":
            await self.app(scope, receive, send)
            return
        self.puts += 1
        fault = self.script.popleft() if self.script else None
        if fault == "lost":
            await self._lose(scope, receive)
        elif fault == "html":
            await PlainTextResponse("<html>it works!</html>")(scope, receive, send)
        elif isinstance(fault, JSONResponse | PlainTextResponse):
            await fault(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _lose(self, scope, receive) -> None:
        """Do the work and never answer: the client waits until it gives up."""

        async def swallow(message) -> None:
            pass

        await self.app(scope, receive, swallow)
        while (await receive())["type"] != "http.disconnect":
            pass


@asynccontextmanager
async def ill_registrar(database_url: str) -> AsyncIterator[Ill]:
    engine = create_engine(database_url, application="registrar")
    ill = Ill(create_sandbox(SandboxRegistrar(SandboxStore(engine, ManualClock()), ACCOUNT)))
    bound = listen("127.0.0.1", 0)
    ill.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    async with serving(ill, bound):
        yield ill
    await engine.dispose()


@pytest.fixture
async def registrar(databases) -> AsyncIterator[Ill]:
    async with ill_registrar(await databases.empty("registrar")) as ill:
        yield ill


@pytest.fixture
async def pid(start_pid, registrar) -> AsyncIterator[Any]:
    """The rate is not held back here: that takes real time, and has tests of its own."""
    async with start_pid(
        datacite_url=registrar.url,
        datacite_password=ACCOUNT.password,
        datacite_seconds=0.5,
        datacite_rate=10_000,
    ) as running:
        yield running


@pytest.fixture
async def published(pid, record) -> str:
    await pid.deliver(RecordPublished(record=record(state=RecordState.PUBLISHED)))
    doi: str = (await pid.identifier_of("r1"))["doi"]
    return doi


async def remote(registrar: Ill, doi: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=registrar.url, auth=("INDIGO.REPO", "secret")) as http:
        attributes: dict[str, Any] = (await http.get(f"/dois/{doi}")).json()["data"]["attributes"]
    return attributes


async def recover(pid) -> dict[str, Any]:
    """An hour passes, twice: every pause is over."""
    for _ in range(2):
        pid.clock.advance(timedelta(hours=1, minutes=1))
        await pid.work_off()
    found: dict[str, Any] = await pid.doi("r1")
    return found


async def test_a_server_error_is_tried_again_and_seen(pid, registrar, published):
    registrar.script.extend([PlainTextResponse("<h1>502</h1>", 502), JSONResponse({}, 500)])
    assert await pid.work_off() == 1
    doi = await pid.doi("r1")
    assert (doi["status"], doi["attempts"]) == ("pending", 1)
    assert "502" in doi["reason"]
    assert doi["next_try_at"] > "2026-01-01T00:00:00"
    assert await pid.facts("pid.doi.failed.v1") == []
    doi = await recover(pid)
    assert (doi["status"], doi["reason"], doi["attempts"], doi["next_try_at"]) == ("done", None, 0, None)
    assert registrar.puts == 3
    assert len(await pid.facts("pid.doi.registered.v1")) == 1


async def test_retry_after_is_kept_for_every_doi(pid, registrar, published, record):
    registrar.script.append(JSONResponse({"errors": []}, 429, headers={"retry-after": "120"}))
    await pid.work_off()
    await pid.deliver(RecordPublished(record=record("r2", state=RecordState.PUBLISHED)))
    pid.clock.advance(timedelta(seconds=100))
    await pid.work_off()
    assert registrar.puts == 1
    assert "left alone" in (await pid.doi("r2"))["reason"]
    assert (await recover(pid))["status"] == "done"
    assert (await pid.doi("r2"))["status"] == "done"


async def test_a_date_in_retry_after(pid, registrar, published):
    registrar.script.append(
        PlainTextResponse("busy", 503, headers={"retry-after": "Thu, 01 Jan 2026 00:10:00 GMT"})
    )
    await pid.work_off()
    assert (await pid.doi("r1"))["next_try_at"] >= "2026-01-01T00:10:00"


async def test_a_lost_reply_is_harmless(pid, registrar, published):
    registrar.script.extend(["lost", "lost"])
    await pid.work_off()
    doi = await pid.doi("r1")
    assert doi["status"] == "pending"
    assert "No answer in time" in doi["reason"]
    assert (await remote(registrar, published))["state"] == "findable"
    pid.clock.advance(timedelta(hours=1))
    await pid.work_off()
    assert (await recover(pid))["status"] == "done"
    async with httpx.AsyncClient(base_url=registrar.url, auth=("INDIGO.REPO", "secret")) as http:
        assert (await http.get("/dois")).json()["meta"]["total"] == 1
    assert len(await pid.facts("pid.doi.registered.v1")) == 1


async def test_a_lost_publication_is_still_hidden(pid, registrar, published, record):
    """The registrar published it and nobody heard; then the record is withdrawn: register would be ignored."""
    registrar.script.append("lost")
    await pid.work_off()
    await pid.deliver(
        RecordWithdrawn(record=record(state=RecordState.WITHDRAWN, version=2), reason="wrong sensor")
    )
    doi = await recover(pid)
    assert (doi["status"], doi["observed_state"]) == ("done", "registered")
    assert (await remote(registrar, published))["state"] == "registered"
    assert len(await pid.facts("pid.doi.hidden.v1")) == 1


async def test_a_refusal_is_final_until_an_operator_asks_again(pid, registrar, published):
    error = {"source": "titles", "title": "Title is not nice", "uid": published}
    registrar.script.append(JSONResponse({"errors": [error]}, 422))
    await pid.work_off()
    doi = await pid.doi("r1")
    assert (doi["status"], doi["next_try_at"]) == ("failed", None)
    assert doi["reason"] == "422 titles: Title is not nice"
    (fact,) = await pid.facts("pid.doi.failed.v1")
    assert fact["reason"] == doi["reason"]
    assert fact["subject"] == f"dois/{published}"
    await recover(pid)
    assert registrar.puts == 1
    url = f"/api/dois/{published}/retry"
    assert (await pid.http.post(url)).status_code == 401
    assert (await pid.http.post(url, headers=pid.auth("pid:mint"))).status_code == 403
    again = await pid.http.post(url, headers=pid.auth("operator"))
    assert (again.status_code, again.json()["status"]) == (202, "pending")
    await pid.work_off()
    assert (await pid.doi("r1"))["status"] == "done"
    assert (await pid.http.post(url, headers=pid.auth("operator"))).status_code == 409
    assert (await pid.http.post("/api/dois/10.5072/no/retry", headers=pid.auth("operator"))).status_code == 404


async def test_wrong_credentials_fail_no_doi(start_pid, registrar, record):
    async with start_pid(datacite_url=registrar.url, datacite_password="wrong") as pid:
        await pid.deliver(RecordPublished(record=record(state=RecordState.PUBLISHED)))
        await pid.work_off()
        doi = await pid.doi("r1")
        assert doi["status"] == "pending"
        assert "401 Bad credentials." in doi["reason"]


async def test_an_answer_that_makes_no_sense_is_no_success(pid, registrar, published):
    registrar.script.extend(
        ["html", JSONResponse({"data": {"attributes": {"doi": "10.5072/x", "state": "findable"}}})]
    )
    await pid.work_off()
    assert "cannot be read" in (await pid.doi("r1"))["reason"]
    pid.clock.advance(timedelta(minutes=5))
    await pid.work_off()
    assert "another DOI" in (await pid.doi("r1"))["reason"]
    assert (await recover(pid))["status"] == "done"


@pytest.mark.parametrize(
    ("state", "registered", "reason"),
    [("draft", None, "in the state draft"), ("findable", None, "has not written the DOI")],
)
async def test_success_is_what_the_reply_shows(pid, registrar, published, state, registered, reason):
    reply = {"data": {"attributes": {"doi": published, "state": state, "registered": registered}}}
    registrar.script.extend([JSONResponse(reply), JSONResponse(reply)])
    await pid.work_off()
    doi = await pid.doi("r1")
    assert (doi["status"], doi["observed_state"]) == ("pending", state)
    assert reason in doi["reason"]
    async with pid.runtime.database.engine.connect() as conn:  # what was seen and when to ask again are one change
        assert (await conn.execute(sa.text("SELECT version FROM dois"))).scalar_one() == 2
    assert await pid.facts("pid.doi.registered.v1") == []
    registrar.script.clear()
    assert (await recover(pid))["status"] == "done"


async def test_ten_changes_while_it_is_down_are_one_request(pid, registrar, published, record):
    registrar.script.append(PlainTextResponse("", 503))
    await pid.work_off()
    for version in range(2, 12):
        changed = record(state=RecordState.PUBLISHED, version=version, title=f"Title {version}")
        await pid.deliver(RecordUpdated(record=changed))
    assert await pid.work_off() == 1
    assert registrar.puts == 2
    assert (await remote(registrar, published))["titles"] == [{"title": "Title 11"}]


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


async def test_an_attempt_in_the_way_of_news_loses_nothing(pid, registrar, published, record):
    """The record changes while the registrar is being asked: the older answer does not count for the newer."""
    arrived, go_on = asyncio.Event(), asyncio.Event()
    inner = registrar.app

    async def slow(scope, receive, send) -> None:
        registrar.app = inner
        arrived.set()
        await go_on.wait()
        await inner(scope, receive, send)

    registrar.app = slow
    working = asyncio.create_task(pid.work_off())
    await arrived.wait()
    await pid.deliver(RecordUpdated(record=record(state=RecordState.PUBLISHED, version=2, title="Newer")))
    go_on.set()
    await working
    await pid.work_off()
    assert (await remote(registrar, published))["titles"] == [{"title": "Newer"}]
    assert (await pid.doi("r1"))["status"] == "done"
    assert len(await pid.facts("pid.doi.registered.v1")) == 1


async def test_who_sees_a_registration(pid, registrar, published):
    await pid.work_off()
    answer = await pid.http.get(f"/api/dois/{published.upper()}")
    assert (answer.status_code, answer.json()["status"]) == (200, "done")
    assert (await pid.http.get("/api/dois/10.5072/no")).status_code == 404
    assert (await pid.http.get("/api/dois/21.T99999/no")).status_code == 404


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
