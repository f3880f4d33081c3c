"""From events to promises: the ledger of a published plan."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from indigo_contracts.dmp import PromiseBroken, PromiseKept
from indigo_contracts.envelope import Envelope
from indigo_contracts.integrity import RunFinished
from indigo_contracts.pid import DoiRegistered, IdentifierUpdated
from indigo_contracts.qos import TransitionCompleted
from indigo_contracts.repository import FileCorrupted, FileRepaired, RecordPublished
from indigo_kernel.bus.ports import Message, PermanentError, Subscription
from indigo_kernel.ids import new_id

SHA = "0" * 64


def link(plan_id: str, output: str | None = "counts") -> dict[str, Any]:
    return {"plan_id": plan_id, "edition": 1, "output": output}


def published(plan_id: str, output: str | None = "counts") -> RecordPublished:
    record = {
        "record_id": "r1",
        "kind": "dataset",
        "state": "published",
        "version": 2,
        "title": "t",
        "publisher": "p",
        "url": "http://r/1",
        "api_url": "http://r/1",
        "plan": link(plan_id, output),
    }
    return RecordPublished.model_validate({"record": record})


def finished(plan_id: str, verdict: str, test: str = "there", level: str = "existence") -> RunFinished:
    run = {
        "run_id": "run",
        "test": test,
        "level": level,
        "title": "t",
        "record_id": "r1",
        "plan": link(plan_id),
        "trigger": "published",
        "state": "finished",
        "verdict": verdict,
        "requested_at": "2026-02-01T12:00:00Z",
        "report_url": "http://i/1",
    }
    return RunFinished.model_validate({"run": run})


def placed(plan_id: str, storage_class: str) -> TransitionCompleted:
    transition = {
        "transition_id": "t1",
        "path": "/records/r1/",
        "target_class": "DiskAndTape",
        "state": "COMPLETED",
        "record_id": "r1",
        "plan": link(plan_id),
        "requested_at": "2026-02-01T12:00:00Z",
        "objects": [{"path": "/records/r1/a", "size": 1, "storage_class": storage_class, "locality": "DISK"}],
    }
    return TransitionCompleted.model_validate({"transition": transition})


def activated(plan_id: str) -> IdentifierUpdated:
    identifier = {
        "handle": "21.T1/a",
        "state": "active",
        "version": 2,
        "resolver_url": "http://h/a",
        "plan": link(plan_id),
    }
    return IdentifierUpdated.model_validate({"identifier": identifier})


def registered(plan_id: str) -> DoiRegistered:
    return DoiRegistered.model_validate(
        {
            "doi": "10.5072/a",
            "handle": "21.T1/a",
            "plan": link(plan_id),
            "registrar": "http://d",
            "state": "findable",
            "observed_at": "2026-02-01T12:00:00Z",
        }
    )


def corrupted(plan_id: str, file: str) -> FileCorrupted:
    return FileCorrupted.model_validate(
        {
            "record_id": "r1",
            "plan": link(plan_id),
            "file": file,
            "expected_sha256": SHA,
            "problem": "changed",
        }
    )


def repaired(plan_id: str, file: str) -> FileRepaired:
    return FileRepaired.model_validate(
        {"record_id": "r1", "plan": link(plan_id), "file": file, "expected_sha256": SHA, "source": "tape"}
    )


async def told(service: Any) -> list[tuple[str, str, str | None]]:
    facts = [fact for fact in await service.facts() if isinstance(fact, PromiseKept | PromiseBroken)]
    return [(type(fact).__name__, fact.promise.kind.value, fact.promise.test) for fact in facts]


async def test_a_published_plan_has_a_ledger(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    async with service.client() as http:
        ledger = (await http.get(f"/plans/{plan_id}/promises")).json()
    assert ledger["summary"] == {"planned": 10, "due": 0, "kept": 0, "broken": 0}
    lines = [(one["output"], one["kind"], one["test"], one["level"], one["due"]) for one in ledger["items"]]
    assert lines == [
        (None, "record", None, None, None),
        (None, "identifier", None, None, None),
        ("counts", "record", None, None, "2026-06-30"),
        ("counts", "identifier", None, None, "2026-06-30"),
        ("counts", "storage", None, None, "2026-06-30"),
        ("counts", "test", "there", "existence", "2026-06-30"),
        ("counts", "test", "columns", "content", "2026-06-30"),
        ("counts", "test", "totals", "processing", "2026-06-30"),
        ("summing", "record", None, None, None),
        ("summing", "identifier", None, None, None),
    ]


async def test_a_draft_has_an_empty_ledger(service: Any, plan: dict[str, Any]) -> None:
    async with service.client("ada") as http:
        plan_id = (await http.post("/dmps", json=plan)).json()["id"]
        ledger = (await http.get(f"/plans/{plan_id}/promises")).json()
        assert ledger["items"] == []
        assert (await http.get(f"/plans/{plan_id}/promises/none")).status_code == 404
    async with service.client() as http:
        assert (await http.get(f"/plans/{plan_id}/promises")).status_code == 404


async def test_promises_are_kept_and_broken_by_evidence(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    for fact in (
        registered(plan_id),
        published(plan_id),
        activated(plan_id),
        placed(plan_id, "DiskAndTape"),
        finished(plan_id, "pass"),
        finished(plan_id, "fail", "columns", "content"),
    ):
        await service.deliver(fact)
    assert await told(service) == [
        ("PromiseKept", "record", None),
        ("PromiseKept", "identifier", None),
        ("PromiseKept", "storage", None),
        ("PromiseKept", "test", "there"),
        ("PromiseBroken", "test", "columns"),
    ]
    async with service.client() as http:
        ledger = (await http.get(f"/plans/{plan_id}/promises")).json()
    assert ledger["summary"] == {"planned": 5, "due": 0, "kept": 4, "broken": 1}


async def test_damage_breaks_and_repair_mends(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    hour = timedelta(hours=1)
    await service.deliver(published(plan_id))
    await service.deliver(finished(plan_id, "pass"))
    service.clock.advance(hour)
    await service.deliver(corrupted(plan_id, "a.csv"))
    await service.deliver(corrupted(plan_id, "b.csv"))
    promises = await service.promises(plan_id)
    record, there = promises["counts", "record", None], promises["counts", "test", "there"]
    assert (record["state"], there["state"]) == ("broken", "broken")
    assert [file["file"] for file in record["evidence"]["details"]["files"]] == ["a.csv", "b.csv"]
    service.clock.advance(hour)
    await service.deliver(repaired(plan_id, "a.csv"))
    assert (await service.promises(plan_id))["counts", "record", None]["state"] == "broken"
    await service.deliver(repaired(plan_id, "b.csv"))
    promises = await service.promises(plan_id)
    assert promises["counts", "record", None]["state"] == "kept"
    assert promises["counts", "test", "there"]["state"] == "broken"
    service.clock.advance(hour)
    await service.deliver(finished(plan_id, "error"))
    await service.deliver(finished(plan_id, "pass"))
    assert (await service.promises(plan_id))["counts", "test", "there"]["state"] == "kept"
    assert [line[:2] for line in await told(service)] == [
        ("PromiseKept", "record"),
        ("PromiseKept", "test"),
        ("PromiseBroken", "record"),
        ("PromiseBroken", "test"),
        ("PromiseKept", "record"),
        ("PromiseKept", "test"),
    ]
    async with service.client() as http:
        promise_id = there["promise_id"]
        first = (await http.get(f"/plans/{plan_id}/promises/{promise_id}?limit=5")).json()
        rest = (
            await http.get(f"/plans/{plan_id}/promises/{promise_id}?limit=5&cursor={first['next_cursor']}")
        ).json()
    history = [one["outcome"] for one in first["history"] + rest["history"]]
    assert history == ["good", "note", "note", "note", "bad", "bad", "good"]
    assert rest["next_cursor"] is None
    assert first["promise"]["state"] == "kept"


async def test_an_event_counts_once_and_an_old_one_not_at_all(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    now = service.clock.now()
    envelope = await service.deliver(finished(plan_id, "fail"), at=now + timedelta(hours=2))
    await service.deliver(finished(plan_id, "fail"), at=now + timedelta(hours=2), event_id=envelope.id)
    await service.deliver(finished(plan_id, "pass"), at=now + timedelta(hours=1))
    assert await told(service) == [("PromiseBroken", "test", "there")]
    assert (await service.promises(plan_id))["counts", "test", "there"]["state"] == "broken"


async def test_evidence_nobody_waits_for_is_no_failure(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    await service.deliver(published("no-such-plan"))
    await service.deliver(published(plan_id, "no-such-output"))
    unlinked = published(plan_id)
    await service.deliver(RecordPublished(record=unlinked.record.model_copy(update={"plan": None})))
    assert await told(service) == []
    with pytest.raises(PermanentError):
        envelope = Envelope.of(unlinked, id=new_id(), source="s", subject="s", version=1, time=service.clock.now())
        await service.runtime.subscriptions[0].handler(envelope.model_copy(update={"data": {"record": 1}}))


async def test_the_next_edition_keeps_the_history(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    await service.deliver(published(plan_id))
    await service.deliver(finished(plan_id, "pass"))
    await service.deliver(finished(plan_id, "pass", "columns", "content"))
    await service.deliver(placed(plan_id, "DiskAndTape"))
    await service.deliver(published(plan_id, "moths"))  # not promised yet
    before = await service.promises(plan_id)
    service.clock.advance(timedelta(days=1))
    indigo = plan["dmp"]["dataset"][0]["indigo"]
    indigo["storage"] = {"storage_class": "TapeOnly"}
    indigo["tests"] = [test for test in indigo["tests"] if test["key"] != "totals"]
    indigo["structure"]["tables"][0]["fields"].append({"name": "note"})
    moths = dict(plan["dmp"]["dataset"][1], title="Moths", type="dataset", indigo={"key": "moths"})
    moths["dataset_id"] = {"identifier": "moths", "type": "other"}
    plan["dmp"]["dataset"].append(moths)
    async with service.client("ada") as http:
        put = await http.put(f"/dmps/{plan_id}", json=plan)
        answer = await http.post(f"/plans/{plan_id}/publish", headers={"if-match": put.headers["etag"]})
        assert answer.status_code == 200, answer.text
        retired = before["counts", "test", "totals"]["promise_id"]
        assert (await http.get(f"/plans/{plan_id}/promises/{retired}")).json()["retired_at"] is not None
    after = await service.promises(plan_id)
    assert ("counts", "test", "totals") not in after
    same = ("counts", "record", None)
    assert after[same]["promise_id"] == before[same]["promise_id"]
    assert after[same]["state"] == "kept"
    assert after["counts", "test", "there"]["state"] == "kept"
    # The structure is another one: the old verdict says nothing about it.
    assert after["counts", "test", "columns"]["state"] == "planned"
    # Other storage is promised: what was observed before breaks it.
    assert after["counts", "storage", None]["state"] == "broken"
    # What came before it was promised counts.
    assert after["moths", "record", None]["state"] == "kept"


async def test_a_withdrawn_plan_promises_nothing(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    async with service.client("ada") as http:
        await http.post(f"/plans/{plan_id}/withdraw", json={"reason": "x"}, headers={"if-match": '"v2"'})
        assert (await http.get(f"/plans/{plan_id}/promises")).json()["items"] == []
    await service.deliver(published(plan_id))
    assert await told(service) == []


async def test_the_day_after_it_is_due_a_promise_is_due(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    await service.deliver(finished(plan_id, "pass"))
    service.clock.advance(datetime(2026, 7, 1, tzinfo=UTC) - service.clock.now())
    await service.runtime.consume()
    async with asyncio.timeout(20):
        async with service.runtime.database.engine.connect() as conn:
            while await conn.scalar(sa.text("SELECT count(*) FROM jobs")):
                await asyncio.sleep(0.05)  # the worker tells nobody when it has found nothing more to do
    states = {key: promise["state"] for key, promise in (await service.promises(plan_id)).items()}
    assert states["counts", "record", None] == "due"
    assert states["counts", "test", "there"] == "kept"
    assert states["summing", "record", None] == "planned"


async def test_an_event_travels_from_the_bus_to_the_bus(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    heard: asyncio.Queue[Envelope] = asyncio.Queue()
    await service.runtime.consume()
    bus = service.runtime.bus
    await bus.subscribe([Subscription("test", "ears", ("dmp.promise.*.v1",), heard.put)])
    await service.runtime.relay()
    fact = published(plan_id)
    envelope = Envelope.of(
        fact, id=new_id(), source="http://r", subject="records/r1", version=2, time=service.clock.now()
    )
    await bus.publish([Message(envelope.id, fact.fact, envelope.subject, envelope.wire())])
    async with asyncio.timeout(20):
        answer = await heard.get()
    kept = PromiseKept.model_validate(answer.data)
    assert kept.promise.plan_id == plan_id
    assert kept.promise.evidence is not None
    assert kept.promise.evidence.event_id == envelope.id
    assert answer.causationid == envelope.id
