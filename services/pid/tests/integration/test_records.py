"""Facts of the repository, delivered in order, twice, and in the wrong order."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta

import pytest
import sqlalchemy as sa
from indigo_contracts.dmp import Person
from indigo_contracts.pid import DoiRegistered
from indigo_contracts.repository import (
    Identifiers,
    PlanLink,
    RecordDiscarded,
    RecordKind,
    RecordPublished,
    RecordReserved,
    RecordState,
    RecordUpdated,
    RecordWithdrawn,
)
from indigo_kernel.bus.ports import PermanentError, Subscription
from indigo_kernel.bus.wire import message_of
from indigo_pid.adapters.db.uow import PidWork
from sqlalchemy.exc import DBAPIError

WAITING = sa.text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@pytest.fixture
def story(record):
    """The life of a record in four facts."""
    published = record(state=RecordState.PUBLISHED, version=2)
    return [
        RecordReserved(record=record()),
        RecordPublished(record=published),
        RecordUpdated(record=published.model_copy(update={"version": 3, "title": "New title"})),
        RecordWithdrawn(
            record=published.model_copy(
                update={"version": 4, "title": "New title", "state": RecordState.WITHDRAWN}
            ),
            reason="wrong sensor",
        ),
    ]


async def test_a_reserved_record_gets_names_and_nothing_is_asked_of_the_registrar(pid, story):
    await pid.deliver(story[0])
    minted, *rest = await pid.facts()
    assert rest == []
    assert minted["fact"] == "pid.identifier.minted.v1"
    names = minted["identifier"]
    suffix = names["handle"].removeprefix("21.T99999/")
    assert names["ark"] == f"ark:/99999/{suffix}"
    assert names["doi"] == f"10.5072/{suffix}"
    assert (names["state"], names["record_id"], names["kind"]) == ("reserved", "r1", "dataset")
    assert names["plan"] == {"plan_id": "p1", "edition": 1, "output": "water"}
    assert await pid.work_off() == 0
    assert (await pid.doi("r1"))["status"] == "set-aside"


async def test_the_whole_life(pid, story):
    await pid.deliver(*story[:2])
    await pid.work_off()
    doi = await pid.doi("r1")
    assert (doi["status"], doi["observed_state"]) == ("done", "findable")
    await pid.deliver(story[2])
    await pid.work_off()
    await pid.deliver(story[3])
    await pid.work_off()
    assert [one["fact"] for one in await pid.facts()] == [
        "pid.identifier.minted.v1",
        "pid.identifier.updated.v1",
        "pid.doi.registered.v1",
        "pid.identifier.updated.v1",
        "pid.doi.registered.v1",
        "pid.identifier.tombstoned.v1",
        "pid.doi.hidden.v1",
    ]
    assert (await pid.facts("pid.doi.registered.v1"))[0]["state"] == "findable"
    assert (await pid.facts("pid.identifier.tombstoned.v1"))[0]["reason"] == "wrong sensor"
    doi = await pid.doi("r1")
    assert (doi["status"], doi["observed_state"]) == ("done", "registered")
    remote = await pid.http.get(
        f"/registrar/dois/{doi['doi']}",
        auth=(pid.settings.datacite_repository, pid.settings.registrar_password),
    )
    attributes = remote.json()["data"]["attributes"]
    assert attributes["state"] == "registered"
    assert attributes["titles"] == [{"title": "New title"}]
    assert attributes["url"].endswith("/" + doi["handle"])


async def test_any_order_ends_the_same_and_mints_once(pid, story):
    for number, order in enumerate(itertools.permutations(range(4))):
        name = f"r{number}"
        facts = [
            fact.model_copy(update={"record": fact.record.model_copy(update={"record_id": name, "plan": None})})
            for fact in story
        ]
        await pid.deliver(*(facts[position] for position in order))
        await pid.work_off()
        identifier = await pid.identifier_of(name)
        assert identifier["state"] == "tombstoned", order
        assert identifier["record"]["title"] == "New title"
        assert identifier["tombstone"]["reason"] == "wrong sensor"
        doi = await pid.doi(name)
        assert (doi["status"], doi["observed_state"]) == ("done", "registered")
    assert len(await pid.facts("pid.identifier.minted.v1")) == 24
    assert len(await pid.facts("pid.identifier.tombstoned.v1")) == 24


async def test_the_same_delivery_and_the_same_fact_again_change_nothing(pid, story):
    await pid.deliver(story[0])
    envelope = pid.envelope(story[1])
    for _ in range(2):
        await pid.runtime.subscriptions[0].handler(envelope)
    await pid.deliver(story[1], story[1])
    await pid.work_off()
    assert [one["fact"] for one in await pid.facts()] == [
        "pid.identifier.minted.v1",
        "pid.identifier.updated.v1",
        "pid.doi.registered.v1",
    ]


async def test_facts_at_the_same_time_mint_once(pid, story):
    await asyncio.gather(*(pid.deliver(fact) for fact in story[:3] * 3))
    assert len(await pid.facts("pid.identifier.minted.v1")) == 1
    assert (await pid.identifier_of("r1"))["record"]["title"] == "New title"


async def test_being_told_its_own_identifiers_causes_nothing(pid, story):
    await pid.deliver(*story[:2])
    await pid.work_off()
    names = await pid.identifier_of("r1")
    before = await pid.facts()
    told = story[1].record.model_copy(
        update={"version": 3, "identifiers": Identifiers(handle=names["handle"], doi=names["doi"])}
    )
    await pid.deliver(RecordUpdated(record=told))
    assert await pid.work_off() == 0
    assert await pid.facts() == before


async def test_plans_and_outputs_know_each_other_whoever_comes_first(pid, record):
    plan = record(
        "plan-1", kind=RecordKind.DMP, state=RecordState.PUBLISHED, plan=PlanLink(plan_id="p1", edition=1)
    )
    later = record(
        "plan-2",
        kind=RecordKind.DMP,
        state=RecordState.PUBLISHED,
        plan=PlanLink(plan_id="p1", edition=2),
        previous="plan-1",
    )
    water, code = (
        record(name, kind=kind, state=RecordState.PUBLISHED, plan=PlanLink(plan_id="p1", edition=1, output=name))
        for name, kind in (("water", RecordKind.DATASET), ("code", RecordKind.SOFTWARE))
    )
    await pid.deliver(*(RecordPublished(record=one) for one in (water, plan, code, later)))
    await pid.work_off()
    doi = {name: await pid.doi(name) for name in ("water", "code", "plan-1", "plan-2")}

    def related(name):
        return {
            (one["relationType"], one["relatedIdentifier"], one["resourceTypeGeneral"])
            for one in doi[name]["attributes"]["relatedIdentifiers"]
        }

    outputs = {
        ("Documents", doi["water"]["doi"], "Dataset"),
        ("Documents", doi["code"]["doi"], "Software"),
    }
    assert related("water") == {("IsDocumentedBy", doi["plan-2"]["doi"], "OutputManagementPlan")}
    assert related("code") == related("water")
    handle = (await pid.identifier_of("plan-1"))["concept"]
    concept = (await pid.http.get(f"/api/identifiers/{handle}")).json()["doi"]
    common = outputs | {("IsVersionOf", concept, "OutputManagementPlan")}
    assert related("plan-1") == common | {("IsPreviousVersionOf", doi["plan-2"]["doi"], "OutputManagementPlan")}
    assert related("plan-2") == common | {("IsNewVersionOf", doi["plan-1"]["doi"], "OutputManagementPlan")}
    assert all(one["status"] == "done" for one in doi.values())


async def test_metadata_no_registrar_would_take_fails_with_the_reason_and_recovers(pid, record):
    incomplete = record(state=RecordState.PUBLISHED, creators=[])
    await pid.deliver(RecordPublished(record=incomplete))
    await pid.work_off()
    (failed,) = await pid.facts("pid.doi.failed.v1")
    assert "/creators: at least one creator is needed" in failed["reason"]
    assert (await pid.doi("r1"))["status"] == "failed"
    await pid.deliver(RecordUpdated(record=record(state=RecordState.PUBLISHED, version=2)))
    await pid.work_off()
    assert (await pid.doi("r1"))["status"] == "done"


async def test_an_error_of_ours_ends_as_a_failure_people_see(pid, story):
    await pid.deliver(*story[:2])
    async with pid.runtime.database.engine.begin() as conn:
        await conn.execute(sa.text("UPDATE dois SET attributes = '[1]'"))  # what no code of ours writes
    for _ in range(10):
        await pid.work_off()
        pid.clock.advance(timedelta(minutes=11))
    assert await pid.work_off() == 0
    (failed,) = await pid.facts("pid.doi.failed.v1")
    assert "could not be processed here" in failed["reason"]
    async with pid.runtime.database.engine.begin() as conn:
        await conn.execute(sa.text("UPDATE dois SET attributes = '{}'"))
    assert (await pid.doi("r1"))["status"] == "failed"
    await pid.deliver(story[2])
    await pid.work_off()
    assert (await pid.doi("r1"))["status"] == "done"


async def test_mail_addresses_are_not_shown(pid, record):
    published = record(state=RecordState.PUBLISHED, creators=[Person(name="Ana", email="ana@example.org")])
    await pid.deliver(RecordPublished(record=published))
    assert (await pid.identifier_of("r1"))["record"]["creators"][0]["email"] is None


async def test_a_landing_page_nobody_may_be_sent_to_is_a_dead_letter(pid, record):
    with pytest.raises(PermanentError, match="http"):
        await pid.deliver(RecordPublished(record=record(state=RecordState.PUBLISHED, url="javascript:alert(1)")))
    assert await pid.facts() == []


async def test_a_record_that_comes_back_is_a_dead_letter(pid, story, record):
    await pid.deliver(*story)
    with pytest.raises(PermanentError, match="tombstoned"):
        await pid.deliver(RecordPublished(record=record(state=RecordState.PUBLISHED, version=9)))


async def test_it_runs_by_itself_from_the_bus_to_the_bus(pid, story):
    """The subscription, the worker, the relay: published on the bus, registered on the bus."""
    heard: asyncio.Queue[DoiRegistered] = asyncio.Queue()

    async def hear(envelope):
        await heard.put(DoiRegistered.model_validate(envelope.data))

    await pid.bus.subscribe([Subscription("test", "ear", ("pid.doi.registered.v1",), hear)])
    await pid.runtime.consume()
    await pid.runtime.relay()
    await pid.bus.publish([message_of(pid.envelope(fact)) for fact in story[:2]])
    registered = await asyncio.wait_for(heard.get(), 20)
    assert registered.record_id == "r1"
    assert registered.registrar == pid.settings.registrar_url


async def test_the_identifier_of_a_discarded_draft_is_unused_for_good(pid, record):
    await pid.deliver(RecordReserved(record=record()), RecordReserved(record=record("r2")))
    await pid.deliver(RecordDiscarded(record=record(version=2)))
    names = await pid.identifier_of("r1")
    assert (names["state"], names["unused"]) == ("reserved", "The draft it was reserved for was thrown away.")
    assert (await pid.http.get(f"/{names['handle']}")).status_code == 404
    listed = await pid.http.get("/api/identifiers/unused", headers=pid.auth("operator"))
    assert [one["handle"] for one in listed.json()["items"]] == [names["handle"]]
    assert (await pid.http.get("/api/identifiers/unused", headers=pid.auth("pid:mint"))).status_code == 403
    told = (await pid.facts("pid.identifier.updated.v1"))[-1]
    assert (told["identifier"]["handle"], told["identifier"]["state"]) == (names["handle"], "reserved")
    await pid.work_off()
    assert (await pid.doi("r1"))["status"] == "set-aside"
    history = (
        await pid.http.get(f"/api/identifiers/{names['handle']}/history", headers=pid.auth("operator"))
    ).json()
    assert [one["change"] for one in history["entries"]] == ["minted", "given-up"]
    assert history["broken"] is None


async def test_news_of_a_discarded_draft_in_any_order_and_twice(pid, record):
    gone, begun = RecordDiscarded(record=record(version=3)), RecordReserved(record=record(version=1))
    await pid.deliver(gone, begun, gone, begun)
    names = await pid.identifier_of("r1")
    assert names["unused"]
    assert len(await pid.facts("pid.identifier.minted.v1")) == 1
    assert len(await pid.facts("pid.identifier.updated.v1")) == 1


async def test_what_is_public_is_not_discarded(pid, record):
    await pid.deliver(RecordPublished(record=record(state=RecordState.PUBLISHED, version=2)))
    await pid.deliver(RecordDiscarded(record=record(version=1)))  # old news
    with pytest.raises(PermanentError, match="no draft"):
        await pid.deliver(RecordDiscarded(record=record(version=5)))
    assert (await pid.identifier_of("r1"))["state"] == "active"


async def test_unused_identifiers_come_page_by_page(pid, record):
    for number in range(3):
        await pid.deliver(RecordDiscarded(record=record(f"r{number}")))
    seen, url = [], "/api/identifiers/unused?limit=2"
    while url:
        answer = await pid.http.get(url, headers=pid.auth("operator"))
        seen += [one["record_id"] for one in answer.json()["items"]]
        url = answer.links.get("next", {}).get("url")
    assert sorted(seen) == ["r0", "r1", "r2"]


@pytest.mark.parametrize("held", ["plan p1", "record r1", "record r0"])
async def test_only_records_that_describe_each_other_wait_for_each_other(pid, record, held):
    def news(record_id: str, plan: str, previous: str) -> RecordReserved:
        link = PlanLink(plan_id=plan, edition=1, output="water")
        return RecordReserved(record=record(record_id, plan=link, previous=previous))

    async with PidWork(pid.runtime.database, pid.index) as other:
        await other.alone(held)
        async with asyncio.timeout(8):  # less than a statement waits for a lock
            await pid.deliver(news("r2", "p2", "r3"))
        waiting = asyncio.create_task(pid.deliver(news("r1", "p1", "r0")))
        async with asyncio.timeout(8), pid.runtime.database.engine.connect() as conn:
            while not (await conn.execute(WAITING)).scalar_one():
                await asyncio.sleep(0.01)
        assert not waiting.done()
    await waiting
    assert (await pid.identifier_of("r1"))["state"] == "reserved"


async def test_versions_heard_of_side_by_side_share_one_concept(pid, record):
    """However their transactions lie to each other; one that PostgreSQL ends is delivered again, as a bus does."""

    async def deliver(number: int) -> None:
        fact = RecordPublished(
            record=record(
                f"r{number}",
                state=RecordState.PUBLISHED,
                plan=None,
                previous=f"r{number - 1}" if number else None,
                edition=number + 1,
            )
        )
        for _ in range(20):
            try:
                await pid.deliver(fact)
            except DBAPIError:
                continue
            return
        raise AssertionError("it was never applied")

    await asyncio.gather(*(deliver(number) for number in (0, 2, 4, 1, 5, 3)))
    versions = [await pid.identifier_of(f"r{number}") for number in range(6)]
    (concept,) = {one["concept"] for one in versions}
    answer = await pid.http.get(f"/api/identifiers/{concept}", headers=pid.auth("operator"))
    assert answer.json()["target"] == versions[5]["target"]
