"""From facts to verdicts."""

from __future__ import annotations

import asyncio
import itertools

import pytest
import sqlalchemy as sa
from indigo_contracts.dmp import PlanPublished, PlanWithdrawn
from indigo_contracts.envelope import Envelope
from indigo_contracts.integrity import RunFinished
from indigo_contracts.repository import RecordPublished, RecordState, RecordUpdated, RecordWithdrawn
from indigo_integrity.application.snapshots import keep_plan
from indigo_kernel.bus.ports import Outcome, Subscription
from indigo_kernel.bus.wire import message_of

EXISTENCE = {"key": "there", "level": "existence"}
METADATA = {"key": "described", "level": "metadata", "properties": ["title", "license"]}
PROCESSING = {
    "key": "reproduced",
    "level": "processing",
    "software": "tool",
    "command": ["python3", "/software/main.py"],
    "outputs": [{"path": "sum.txt", "compare": "exists"}],
}
TOOL = {"key": "tool", "kind": "software", "title": "The tool"}
SUM = "open('sum.txt', 'w').write(open('/input/a.csv').read())"


async def test_flow_states_each_step_once(integrity) -> None:
    await integrity.plan({"tests": [EXISTENCE]})
    record = await integrity.publish("r1", {"a.csv": "n\n1\n"})
    assert [each["fact"] for each in await integrity.facts()] == ["integrity.run.requested.v1"]
    assert await integrity.work_off() == 1
    facts = await integrity.facts()
    assert [each["fact"] for each in facts] == [
        "integrity.run.requested.v1",
        "integrity.run.started.v1",
        "integrity.run.finished.v1",
    ]
    assert {each["subject"] for each in facts} == {f"runs/{facts[0]['run']['run_id']}"}
    run = facts[-1]["run"]
    assert (run["state"], run["verdict"], run["test"], run["trigger"]) == (
        "finished",
        "pass",
        "there",
        "published",
    )
    assert run["record_id"] == "r1"
    assert run["plan"] == {"plan_id": "p1", "edition": 1, "output": "water"}
    assert run["counts"] == {"files": 1, "damaged": 0, "bytes": 4}
    # the same news again, and news that change nothing about the test
    await integrity.deliver(
        RecordPublished(record=record), RecordUpdated(record=record.model_copy(update={"version": 4}))
    )
    await integrity.plan({"tests": [EXISTENCE]}, version=6, edition=2)
    assert await integrity.work_off() == 0


@pytest.mark.parametrize("order", list(itertools.permutations(["plan", "data", "tool"])))
async def test_facts_come_in_any_order(integrity, a_plan, order) -> None:
    facts = {
        "plan": PlanPublished(plan=a_plan({"tests": [EXISTENCE, METADATA, PROCESSING]}, TOOL)),
        "data": RecordPublished(record=integrity.repository.record("r1", {"a.csv": "n\n1\n"})),
        "tool": RecordPublished(
            record=integrity.repository.record("s1", {"main.py": SUM}, output="tool", kind="software")
        ),
    }
    for name in order:
        await integrity.deliver(facts[name], facts[name])
    assert await integrity.work_off() == 3
    runs = {run["test"]: run["verdict"] for run in await integrity.finished()}
    assert runs == {"there": "pass", "described": "pass", "reproduced": "pass"}


async def test_facts_come_at_the_same_time(integrity, a_plan) -> None:
    """Neither transaction sees what the other one has not committed; one of them must wait."""
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    async with integrity.runtime.api.state.work() as work:
        await keep_plan(work, a_plan({"tests": [EXISTENCE]}))
        record = integrity.repository.record("r1", {"a.csv": "x"})
        other = asyncio.create_task(integrity.deliver(RecordPublished(record=record)))
        async with integrity.runtime.database.engine.connect() as conn:
            while not (await conn.execute(waiting)).scalar_one():
                assert not other.done()
                await asyncio.sleep(0.01)
    await other
    assert await integrity.work_off() == 1


async def test_processing_waits_for_the_software(integrity) -> None:
    await integrity.plan({"tests": [PROCESSING]}, TOOL)
    await integrity.publish("r1", {"a.csv": "n\n1\n"})
    assert await integrity.work_off() == 0
    await integrity.publish("s1", {"main.py": SUM}, output="tool")
    assert await integrity.work_off() == 1
    await integrity.publish("s2", {"main.py": SUM}, output="tool", edition=2)
    assert await integrity.work_off() == 1  # new software, a new result


async def test_older_states_are_ignored(integrity, a_plan) -> None:
    await integrity.deliver(
        PlanWithdrawn(plan=a_plan({"tests": [EXISTENCE]}, version=9, state="withdrawn"), reason="mistake")
    )
    await integrity.plan({"tests": [EXISTENCE]}, version=5)
    await integrity.publish("r1", {"a.csv": "x"})
    assert await integrity.work_off() == 0


async def test_changed_metadata_is_tested_again(integrity) -> None:
    await integrity.plan({"tests": [METADATA], "license": "https://spdx.org/licenses/CC-BY-4.0"})
    record = await integrity.publish("r1", {"a.csv": "x"}, title="Something else")
    await integrity.work_off()
    first = await integrity.only()
    assert first["verdict"] == "fail"
    assert first["findings"] == [
        {
            "code": "metadata-mismatch",
            "severity": "error",
            "message": "the record has another title",
            "location": {"property": "title"},
            "expected": "Water quality of the reservoir",
            "observed": "Something else",
            "count": 1,
        }
    ]
    better = record.model_copy(update={"title": "Water quality of the reservoir", "version": 4})
    await integrity.deliver(RecordUpdated(record=better))
    await integrity.work_off()
    assert [run["verdict"] for run in await integrity.finished()] == ["fail", "pass"]


async def test_unreachable_repository_is_no_verdict_at_first(integrity) -> None:
    await integrity.plan({"tests": [EXISTENCE]})
    await integrity.publish("r1", {"a.csv": "x"})
    integrity.repository.down = True
    assert await integrity.work_off() >= 1
    assert await integrity.finished() == []
    integrity.repository.down = False
    for _ in range(3):
        integrity.clock.advance(integrity.settings.fixity_sweep)
        await integrity.work_off()
    assert (await integrity.only())["verdict"] == "pass"
    assert len(await integrity.facts("integrity.run.started.v1")) == 1


async def test_unreachable_repository_ends_as_error(start_integrity) -> None:
    async with start_integrity(attempts=1) as integrity:
        await integrity.plan({"tests": [EXISTENCE]})
        await integrity.publish("r1", {"a.csv": "x"})
        integrity.repository.down = True
        await integrity.work_off()
        run = await integrity.only()
        assert (run["state"], run["verdict"]) == ("finished", "error")
        assert "cannot be reached" in run["summary"]
        assert await integrity.facts("integrity.fixity.failed.v1") == []


@pytest.mark.parametrize("status", [401, 403, 503])
async def test_repository_that_will_not_answer_is_trouble(start_integrity, status) -> None:
    async with start_integrity(attempts=1) as integrity:
        await integrity.plan({"tests": [EXISTENCE]})
        await integrity.publish("r1", {"a.csv": "x"})
        integrity.repository.answers["a.csv"] = status
        await integrity.work_off()
        assert (await integrity.only())["verdict"] == "error"


async def test_record_that_is_gone(integrity) -> None:
    await integrity.plan({"tests": [EXISTENCE]})
    await integrity.publish("r1", {"a.csv": "x"})
    integrity.repository.files.clear()
    await integrity.work_off()
    run = await integrity.only()
    assert run["verdict"] == "fail"
    assert [each["code"] for each in run["findings"]] == ["record-missing"]


async def test_withdrawn_record_is_not_judged(integrity) -> None:
    await integrity.plan({"tests": [EXISTENCE]})
    record = await integrity.publish("r1", {"a.csv": "x"})
    gone = record.model_copy(update={"state": RecordState.WITHDRAWN, "version": 4})
    await integrity.deliver(RecordWithdrawn(record=gone, reason="error"))
    await integrity.work_off()
    assert (await integrity.only())["verdict"] == "not-applicable"


async def test_missing_changed_and_unreadable_are_told_apart(integrity) -> None:
    await integrity.plan({"tests": [EXISTENCE | {"files": ["README.md", "a.csv"], "min_bytes": 1000}]})
    await integrity.publish(
        "r1", {"a.csv": "aa", "b.csv": "bb", "c.csv": "cc", "d.csv": "dd", "e.csv": "ee", "f.csv": "ff"}
    )
    stored = integrity.repository.files["r1"]
    stored["a.csv"] = b"aX"
    del stored["b.csv"]
    integrity.repository.answers = {"c.csv": 500, "d.csv": 0, "f.csv": -1}
    await integrity.work_off()
    run = await integrity.only()
    assert run["verdict"] == "fail"
    assert {(each["code"], each["location"].get("file")) for each in run["findings"]} == {
        ("file-changed", "a.csv"),
        ("file-missing", "b.csv"),
        ("file-unreadable", "c.csv"),
        ("file-unreadable", "d.csv"),
        ("file-unreadable", "f.csv"),
        ("file-missing", "README.md"),
        ("too-small", None),
    }
    (failed,) = await integrity.facts("integrity.fixity.failed.v1")
    assert failed["run_id"] == run["run_id"]
    assert failed["plan"]["plan_id"] == "p1"
    assert [(each["file"], each["problem"]) for each in failed["files"]] == [
        ("a.csv", "changed"),
        ("b.csv", "missing"),
        ("c.csv", "unreadable"),
        ("d.csv", "unreadable"),
        ("f.csv", "unreadable"),
    ]
    assert failed["files"][0]["observed_sha256"] != failed["files"][0]["expected_sha256"]


async def test_work_directory_is_empty_afterwards(integrity) -> None:
    await integrity.plan({"tests": [PROCESSING]}, TOOL)
    await integrity.publish("r1", {"a.csv": "n\n1\n"})
    await integrity.publish("s1", {"main.py": SUM}, output="tool")
    await integrity.work_off()
    assert (await integrity.only())["verdict"] == "pass"
    assert list(integrity.settings.work_dir.glob("*/run-*")) == []


async def test_from_the_bus_to_the_bus(start_integrity, a_plan) -> None:
    """The whole service: a delivery, a leased job, the outbox, the relay."""
    async with start_integrity() as integrity:
        heard: asyncio.Queue[Envelope] = asyncio.Queue()
        wanted = (RunFinished.fact,)
        await integrity.runtime.bus.subscribe([Subscription("test", "runs", wanted, heard.put)])
        await integrity.runtime.consume()
        await integrity.runtime.relay()
        record = integrity.repository.record("r1", {"a.csv": "x"})
        facts = [RecordPublished(record=record), PlanPublished(plan=a_plan({"tests": [EXISTENCE]}))]
        outcomes = await integrity.runtime.bus.publish([message_of(integrity.envelope(fact)) for fact in facts])
        assert set(outcomes) == {Outcome.ACCEPTED}
        envelope = await asyncio.wait_for(heard.get(), 20)
        assert envelope.data is not None
        assert (envelope.data["run"]["verdict"], envelope.source) == ("pass", "https://integrity.example.org")
        assert (await integrity.http.get("/readyz")).status_code == 200
