"""Deposits at Crossref: gathered, sent once in effect, and asked after until the report is there."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from indigo_contracts.repository import RecordKind, RecordPublished, RecordState, RecordUpdated
from indigo_kernel.clock import ManualClock
from indigo_kernel.db.engine import create_engine
from indigo_kernel.http.server import listen, serving
from indigo_pid.adapters.crossref.depositor import JOB, LONGEST_LOOK, PATIENCE
from indigo_pid.adapters.db.deposits import DepositWork
from indigo_pid.sandbox.crossref.app import CrossrefAccount, Queue, SandboxCrossref, create_crossref_sandbox
from indigo_pid.sandbox.crossref.store import CrossrefStore

PREFIX = "10.5555"
BOTH = {"doi_kinds": {"dmp": PREFIX}, "doi_registrars": {PREFIX: "crossref"}}
PUBLISHED = {"state": RecordState.PUBLISHED, "plan": None}
PLAN = {**PUBLISHED, "kind": RecordKind.DMP}


@pytest_asyncio.fixture
async def pid(start_pid) -> AsyncIterator[Any]:
    """Datasets at DataCite, plans at Crossref, both of them sandboxes."""
    async with start_pid(**BOTH) as running:
        yield running


async def rows(pid, statement: str, **values: Any) -> list[Any]:
    async with pid.runtime.database.engine.begin() as conn:
        result = await conn.execute(sa.text(statement), values)
        return list(result.all()) if result.returns_rows else []


async def spoil(pid, registrar: str, **faults: Any) -> None:
    answer = await pid.http.put(
        f"/api/sandbox/faults?registrar={registrar}", json=faults, headers=pid.auth("operator")
    )
    assert answer.status_code == 200, answer.text


async def publish(pid, record, names, **changes: Any) -> None:
    await pid.deliver(*(RecordPublished(record=record(name, **{**PLAN, **changes})) for name in names))


async def gather(pid) -> None:
    """Hand in what is wanted, and wait until it is time for a deposit."""
    await pid.work_off()
    pid.clock.advance(timedelta(seconds=2))


async def drift(pid) -> dict[str, Any]:
    answer = await pid.http.get("/api/dois/drift", headers=pid.auth("operator"))
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


async def test_each_kind_goes_to_its_registrar(pid, record):
    await publish(pid, record, ["plan"])
    await pid.deliver(RecordPublished(record=record("data", **PUBLISHED)))
    await pid.settle()
    plan, data = await pid.doi("plan"), await pid.doi("data")
    assert (plan["doi"].partition("/")[0], plan["registrar"]) == (PREFIX, "crossref")
    assert (data["doi"].partition("/")[0], data["registrar"]) == ("10.5072", "datacite")
    assert plan["doi"].partition("/")[2] == (await pid.identifier_of("plan"))["handle"].partition("/")[2]
    for doi in (plan["doi"], data["doi"]):
        assert (await pid.http.get(f"/{doi}")).status_code == 302
    report = await drift(pid)
    assert (report["remote"], report["compared"], report["items"], report["complete"]) == (2, 2, [], True)


async def test_many_dois_are_a_few_deposits(pid, record):
    await publish(pid, record, [f"p{n}" for n in range(150)])
    await gather(pid)
    told: list[str] = []

    @sa.event.listens_for(pid.runtime.database.engine.sync_engine, "before_cursor_execute")
    def note(_connection, _cursor, statement: str, *_others: object) -> None:
        told.append(statement)

    waiting = (await pid.http.get("/api/dois?status=pending", headers=pid.auth("operator"))).json()["items"]
    assert all("waits for the next deposit" in one["reason"] and one["next_try_at"] for one in waiting)
    await pid.work_off()
    assert len([one for one in told if one.startswith(("INSERT INTO crossref_dep", "UPDATE crossref_dep"))]) == 2
    seen = await pid.doi("p0")
    assert "Crossref has received it" in seen["reason"] or "waits for the next" in seen["reason"]
    await pid.settle()
    files = await rows(pid, "SELECT file_name FROM sandbox_submissions")
    assert len(files) == 2
    assert len(await pid.facts("pid.doi.registered.v1")) == 150
    assert await rows(pid, "SELECT 1 FROM crossref_batches") == []


async def test_progress_is_shown(pid, record):
    answer = await pid.http.put("/api/sandbox/queue", json={"polls": 3}, headers=pid.auth("operator"))
    assert answer.status_code == 200
    await publish(pid, record, ["p"])
    await gather(pid)
    await pid.work_off()
    reasons = []
    for _ in range(60):
        pid.clock.advance(timedelta(seconds=5))
        await pid.work_off()
        seen = await pid.doi("p")
        reasons.append(seen["reason"])
        if seen["status"] == "done":
            break
        assert (seen["attempts"], seen["status"]) == (0, "pending")
        assert seen["next_try_at"] is not None
    assert any("Crossref has it, queued" in (one or "") for one in reasons)
    assert reasons[-1] is None


async def test_an_outage_of_one_does_not_hold_up_the_other(pid, record):
    await spoil(pid, "crossref", server_errors=1)
    await publish(pid, record, ["plan"])
    await pid.deliver(RecordPublished(record=record("data", **PUBLISHED)))
    for _ in range(5):
        await pid.work_off()
        pid.clock.advance(timedelta(minutes=10))
    assert (await pid.doi("data"))["status"] == "done"
    assert "502" in (await pid.doi("plan"))["reason"]
    report = await drift(pid)
    assert (report["complete"], list(report["unreachable"])) == (False, ["crossref"])
    await publish(pid, record, [f"p{n}" for n in range(3)])
    await gather(pid)
    await pid.work_off()
    assert "the one before: 502" in (await pid.doi("p0"))["reason"]
    await spoil(pid, "crossref")
    await pid.settle()
    assert len(await rows(pid, "SELECT 1 FROM sandbox_submissions")) == 2


async def test_three_hundred_through_two_registrars_that_are_ill(start_pid, record):
    async with start_pid(**BOTH, crossref_seconds=2.0) as pid:
        await spoil(pid, "datacite", server_errors=0.1, too_many=0.01)
        await spoil(pid, "crossref", server_errors=0.2, too_many=0.1, lost_replies=0.1)
        for start in range(0, 150, 50):
            names = range(start, start + 50)
            await publish(pid, record, [f"p{n}" for n in names])
            await pid.deliver(*(RecordPublished(record=record(f"d{n}", **PUBLISHED)) for n in names))
            await gather(pid)
            await pid.work_off()
        await pid.settle(rounds=200, step=timedelta(minutes=20))
        await spoil(pid, "datacite")
        await spoil(pid, "crossref")
        report = await drift(pid)
        assert (report["remote"], report["items"], report["unreachable"]) == (300, [], {})
        counts = Counter(one["doi"] for one in await pid.facts("pid.doi.registered.v1"))
        assert (len(counts), set(counts.values())) == (300, {1})
        assert await pid.facts("pid.doi.failed.v1") == []
        assert Counter(row.deposits for row in await rows(pid, "SELECT deposits FROM sandbox_works")) == {1: 150}
        assert await rows(pid, "SELECT 1 FROM crossref_batches") == []


async def test_the_newest_wins_while_an_older_deposit_is_under_way(pid, record):
    await publish(pid, record, ["p"])
    await gather(pid)
    await pid.work_off()
    await pid.deliver(RecordUpdated(record=record("p", **PLAN, version=2, title="Newer")))
    await pid.settle()
    (work,) = await rows(pid, "SELECT title, deposits FROM sandbox_works")
    assert (work.title, work.deposits) == ("Newer", 2)
    assert len(await pid.facts("pid.doi.registered.v1")) == 1


async def test_timestamps_grow_when_the_clock_was_wrong(pid, record):
    await publish(pid, record, ["p"])
    await pid.settle()
    tomorrow = 2099_01_01_00_00_00_00
    await rows(pid, f"UPDATE crossref_deposits SET timestamp = {tomorrow}")
    await rows(pid, f"UPDATE sandbox_works SET timestamp = {tomorrow}")
    await pid.deliver(RecordUpdated(record=record("p", **PLAN, version=2, title="Newer")))
    await pid.settle()
    (work,) = await rows(pid, "SELECT title, timestamp FROM sandbox_works")
    assert (work.title, work.timestamp) == ("Newer", tomorrow + 1)


async def test_one_bad_record_does_not_hold_up_the_others(pid, record):
    await publish(pid, record, [f"p{n}" for n in range(9)])
    await gather(pid)
    bad = (await pid.identifier_of("p4"))["doi"]
    await rows(
        pid, "UPDATE crossref_deposits SET record = replace(record, 'titles', 'names') WHERE doi = :d", d=bad
    )
    await pid.settle()
    states = {n: await pid.doi(f"p{n}") for n in range(9)}
    assert [n for n, one in states.items() if one["status"] != "done"] == [4]
    assert "Error: Element 'names'" in states[4]["reason"]
    assert (states[4]["status"], len(await pid.facts("pid.doi.failed.v1"))) == ("failed", 1)
    again = await pid.http.post(f"/api/dois/{bad}/retry", headers=pid.auth("operator"))
    assert again.status_code == 202
    await pid.settle()
    assert (await pid.doi("p4"))["status"] == "done"


async def test_a_prefix_without_a_registrar_is_told(pid, record):
    await publish(pid, record, ["p"])
    await rows(pid, "UPDATE dois SET doi = '10.7777/x'")
    await rows(pid, "UPDATE jobs SET key = '10.7777/x'")
    await pid.work_off()
    seen = (await pid.http.get("/api/dois/10.7777/x")).json()
    assert (seen["status"], seen["registrar"]) == ("failed", None)
    assert "No registrar is set" in seen["reason"]


async def test_an_error_of_ours_is_told_and_can_be_tried_again(pid, record):
    await publish(pid, record, ["a", "b"])
    await gather(pid)
    await rows(pid, "UPDATE crossref_deposits SET record = '<broken'")
    await pid.settle()
    assert await rows(pid, "SELECT 1 FROM crossref_deposits WHERE batch_id IS NOT NULL") == []  # not sent
    # What is over waits for nothing: the next deposit has no part of it.
    await publish(pid, record, ["c"])
    await pid.settle()
    assert (await pid.doi("c"))["status"] == "done"
    for name in "ab":
        seen = await pid.doi(name)
        assert seen["status"] == "failed"
        assert "could not be deposited here" in seen["reason"]
        url = f"/api/dois/{seen['doi']}/retry"
        assert (await pid.http.post(url, headers=pid.auth("operator"))).status_code == 202
    await pid.settle()
    assert {(await pid.doi(name))["status"] for name in "ab"} == {"done"}


async def test_a_file_that_crossref_lost_is_sent_again(pid, record):
    await publish(pid, record, ["p"])
    await gather(pid)
    await pid.work_off()
    await rows(pid, "DELETE FROM sandbox_submissions")
    pid.clock.advance(PATIENCE)
    await pid.settle()
    assert (await pid.doi("p"))["status"] == "done"


async def test_a_lane_whose_pauses_end_while_it_is_looked_at_is_not_forgotten(pid, record, monkeypatch):
    await spoil(pid, "crossref", server_errors=1)
    await publish(pid, record, ["p"])
    await gather(pid)
    (worker,) = [one for one in pid.runtime.workers if one._kind == JOB]

    def slow() -> DepositWork:
        pid.clock.advance(timedelta(hours=2))  # longer than any pause
        return DepositWork(pid.runtime.database)

    monkeypatch.setattr(worker._handle.__self__, "_work", slow)
    assert await worker._claim(1) == 1
    await asyncio.wait(worker._running)
    assert len(await rows(pid, "SELECT 1 FROM crossref_batches")) == 1
    assert len(await rows(pid, "SELECT 1 FROM jobs WHERE kind = 'crossref' AND lease_token IS NULL")) == 1
    monkeypatch.undo()
    await spoil(pid, "crossref")
    await pid.settle()


async def test_crossref_is_asked_within_minutes_after_it_is_back(pid, record):
    await publish(pid, record, ["p"])
    await gather(pid)
    await spoil(pid, "crossref", server_errors=1)
    await pid.work_off()
    for _ in range(20):
        await rows(pid, "UPDATE crossref_batches SET failures = 100, next_at = :now", now=pid.clock.now())
        await rows(pid, "UPDATE jobs SET run_at = :now", now=pid.clock.now())
        await pid.work_off()
        (batch,) = await rows(pid, "SELECT next_at FROM crossref_batches")
        assert batch.next_at - pid.clock.now() <= LONGEST_LOOK
        pid.clock.advance(LONGEST_LOOK)


async def test_drift_is_mended_by_a_deposit(pid, record):
    await publish(pid, record, ["a", "b"])
    await pid.settle()
    a, b = [(await pid.identifier_of(name))["doi"] for name in "ab"]
    await rows(pid, "UPDATE sandbox_works SET url = 'https://elsewhere.example.org/' WHERE doi = :doi", doi=a)
    await rows(pid, "DELETE FROM sandbox_works WHERE doi = :doi", doi=b)
    await rows(
        pid,
        "INSERT INTO sandbox_works VALUES ('10.5555/other', 1, 'https://x.org', 't', 'dataset', 1, now())",
    )
    found = {(one["doi"], one["registrar"], one["difference"]) for one in (await drift(pid))["items"]}
    assert found == {
        (a, "crossref", "url"),
        (b, "crossref", "missing"),
        ("10.5555/other", "crossref", "unknown"),
    }
    for doi in (a, b):
        url = f"/api/dois/{doi}/retry?even_if_done=true"
        assert (await pid.http.post(url, headers=pid.auth("operator"))).status_code == 202
    await pid.settle()
    assert [one["doi"] for one in (await drift(pid))["items"]] == ["10.5555/other"]


CHILD = """
import asyncio, json, sys
from indigo_kernel.bus.memory import MemoryBus
from indigo_pid.bootstrap import build
from indigo_pid.settings import Settings

asyncio.run(build(Settings(**json.loads(sys.argv[1])), bus=MemoryBus()).workers[1].run())
"""


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_worker_killed_between_sending_and_the_answer(start_pid, databases, record, tmp_path, arrives):
    """It dies when its deposit has arrived, or just before that, and knows neither."""
    engine = create_engine(await databases.empty("registrar"), application="registrar")
    sandbox = SandboxCrossref(
        CrossrefStore(engine, ManualClock()), CrossrefAccount("role", "secret", frozenset({PREFIX}))
    )
    sandbox.queue = Queue(polls=0)
    inner = create_crossref_sandbox(sandbox)
    posted, child = asyncio.Event(), []

    async def deadly(scope, receive, send) -> None:
        if scope.get("path") != "/servlet/deposit" or posted.is_set():
            await inner(scope, receive, send)
            return

        async def lost(_message) -> None:
            pass

        if arrives:
            await inner(scope, receive, lost)
        child[0].send_signal(signal.SIGKILL)
        posted.set()

    bound = listen("127.0.0.1", 0)
    secret = tmp_path / "password"
    secret.write_text("secret")
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    settings = {
        **BOTH,
        "crossref_url": url,
        "crossref_rest_url": url,
        "crossref_login": "role",
        "crossref_password_file": str(secret),
        "crossref_email": "ops@example.org",
    }
    async with serving(deadly, bound), start_pid(**settings) as pid:
        await publish(pid, record, ["a", "b"])
        await gather(pid)
        values = {
            **settings,
            "database_url": pid.settings.database_url.get_secret_value(),
            "public_url": str(pid.settings.public_url),
            "secret_key": pid.settings.secret_key.get_secret_value(),
        }
        child.append(await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, json.dumps(values)))
        await posted.wait()
        assert await child[0].wait() == -signal.SIGKILL
        (batch,) = await rows(pid, "SELECT sends, accepted_at FROM crossref_batches")
        assert (batch.sends, batch.accepted_at) == (1, None)
        pid.clock.advance(timedelta(days=20_000))  # beyond the dead worker's lease, which ran by the real clock
        await pid.settle()
        assert (await pid.doi("a"))["status"] == "done"
        async with httpx.AsyncClient(base_url=url) as http:
            works = (await http.get(f"/prefixes/{PREFIX}/works")).json()["message"]
        assert works["total-results"] == 2
        async with engine.connect() as conn:
            files = (await conn.execute(sa.text("SELECT file_name FROM sandbox_submissions"))).all()
            deposits = (await conn.execute(sa.text("SELECT deposits FROM sandbox_works"))).scalars().all()
        assert (len(files), deposits) == (1, [1, 1])
        assert len(await pid.facts("pid.doi.registered.v1")) == 2
    await engine.dispose()


async def test_the_password_is_in_no_log(start_pid, record, tmp_path, capfd):
    secret = tmp_path / "password"
    secret.write_text("a password nobody may see")
    refused = {
        **BOTH,
        "crossref_url": "http://127.0.0.1:9",
        "crossref_password_file": secret,
        "crossref_email": "ops@example.org",
    }
    async with start_pid(**refused) as pid:
        await publish(pid, record, ["p"])
        await gather(pid)
        await pid.work_off()
        pid.clock.advance(timedelta(minutes=10))
        await pid.work_off()
        assert "cannot be reached" in (await pid.doi("p"))["reason"]
        secret.unlink()
        pid.clock.advance(timedelta(minutes=10))
        await pid.work_off()
        pid.clock.advance(timedelta(minutes=10))
        await pid.work_off()
        assert "password cannot be read" in (await pid.doi("p"))["reason"]
    told = capfd.readouterr()
    assert "crossref.postponed" in told.out
    assert "nobody may see" not in told.out + told.err
