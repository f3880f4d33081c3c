"""Versions of a record share a concept identifier that leads to the newest, in whatever order they are heard of."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
import sqlalchemy as sa
from indigo_contracts.repository import (
    RecordPublished,
    RecordReserved,
    RecordState,
    RecordUpdated,
    RecordWithdrawn,
)

PUBLISHED = {"state": RecordState.PUBLISHED}


def versions(record, count=3):
    return [
        record(f"r{n}", edition=n, previous=f"r{n - 1}" if n > 1 else None, **PUBLISHED)
        for n in range(1, count + 1)
    ]


async def test_a_single_version_has_no_concept(pid, record):
    await pid.deliver(RecordPublished(record=record(**PUBLISHED)))
    assert (await pid.identifier_of("r1"))["concept"] is None


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_the_concept_leads_to_the_newest(pid, record, order):
    family = versions(record)
    await pid.deliver(*(RecordPublished(record=family[n]) for n in order))
    found = [await pid.identifier_of(f"r{n}") for n in (1, 2, 3)]
    (concept,) = {one["concept"] for one in found}
    answer = await pid.http.get(f"/{concept}")
    assert (answer.status_code, answer.headers["location"]) == (302, family[2].url)
    for one in found:
        history = await pid.http.get(f"/api/identifiers/{one['handle']}/history")
        assert history.json()["broken"] is None
    newest = await pid.facts("pid.identifier.updated.v1")
    assert any(one["identifier"].get("concept") == concept for one in newest)


async def test_two_chains_become_one(pid, record):
    family = versions(record, 4)
    await pid.deliver(*(RecordPublished(record=family[n]) for n in (0, 1, 3)))
    early = (await pid.identifier_of("r1"))["concept"]
    await pid.deliver(RecordPublished(record=family[2]))
    found = [await pid.identifier_of(f"r{n}") for n in (1, 2, 3, 4)]
    assert {one["concept"] for one in found} == {early}
    assert (await pid.http.get(f"/{early}")).headers["location"] == family[3].url


async def test_a_withdrawn_version_gives_way_to_the_one_before(pid, record):
    family = versions(record, 2)
    await pid.deliver(*(RecordPublished(record=one) for one in family))
    concept = (await pid.identifier_of("r1"))["concept"]

    async def withdraw(version):
        gone = version.model_copy(update={"state": RecordState.WITHDRAWN, "version": 2})
        await pid.deliver(RecordWithdrawn(record=gone, reason="wrong"))

    await withdraw(family[1])
    assert (await pid.http.get(f"/{concept}")).headers["location"] == family[0].url
    await withdraw(family[0])
    last = await pid.identifier_of("r2")
    assert (await pid.http.get(f"/{concept}")).headers["location"] == last["resolver_url"]
    assert (await pid.http.get(last["resolver_url"])).status_code == 410


async def test_a_concept_is_not_changed_by_anybody(pid, record):
    await pid.deliver(*(RecordPublished(record=one) for one in versions(record, 2)))
    concept = (await pid.identifier_of("r1"))["concept"]
    headers = {**pid.auth("pid:mint"), "if-match": "*"}
    answer = await pid.http.delete(f"/api/identifiers/{concept}", params={"reason": "x"}, headers=headers)
    assert answer.status_code == 403


def related(attributes, relation):
    return [
        one["relatedIdentifier"] for one in attributes["relatedIdentifiers"] if one["relationType"] == relation
    ]


async def remote(pid, doi):
    """What the sandbox registrar shows everybody, or its status."""
    answer = await pid.http.get(f"/registrar/dois/{doi}")
    return answer.json()["data"]["attributes"] if answer.status_code == 200 else answer.status_code


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
async def test_the_registrar_knows_the_concept_and_its_versions(pid, record, order):
    family = versions(record)
    await pid.deliver(*(RecordPublished(record=family[n]) for n in order))
    await pid.work_off()
    found = [await pid.identifier_of(f"r{n}") for n in (1, 2, 3)]
    answer = await pid.http.get(f"/api/identifiers/{found[0]['concept']}")
    concept = answer.json()["doi"]
    shown = await remote(pid, concept)
    assert shown["state"] == "findable"
    assert shown["url"] == family[2].url
    assert sorted(related(shown, "HasVersion")) == sorted(one["doi"] for one in found)
    for one in found:
        assert related(await remote(pid, one["doi"]), "IsVersionOf") == [concept]
    cited = await pid.http.get(f"/{concept}", headers={"accept": "text/x-bibliography"})
    assert "Version 3" in cited.text
    assert concept in cited.text


async def test_a_correction_and_a_withdrawal_reach_the_concept(pid, record):
    family = versions(record, 2)
    await pid.deliver(*(RecordPublished(record=one) for one in family))
    retitled = family[1].model_copy(update={"version": 2, "title": "Turbidity"})
    await pid.deliver(RecordUpdated(record=retitled))
    await pid.work_off()
    concept = (await pid.http.get(f"/api/identifiers/{(await pid.identifier_of('r1'))['concept']}")).json()["doi"]
    assert (await remote(pid, concept))["titles"] == [{"title": "Turbidity"}]
    for version in (retitled, family[0]):
        gone = version.model_copy(update={"state": RecordState.WITHDRAWN, "version": 3})
        await pid.deliver(RecordWithdrawn(record=gone, reason="wrong"))
        await pid.work_off()
        if version is retitled:
            assert (await remote(pid, concept))["url"] == family[0].url
    assert await remote(pid, concept) == 404  # no longer findable
    hidden = await pid.http.get(f"/api/dois/{concept}", headers=pid.auth("operator"))
    assert (hidden.json()["status"], hidden.json()["observed_state"]) == ("done", "registered")
    assert any(one["dateType"] == "Withdrawn" for one in hidden.json()["attributes"]["dates"])


async def test_a_draft_of_a_second_version_tells_the_registrar_nothing(pid, record):
    await pid.deliver(RecordPublished(record=versions(record)[0]))
    await pid.deliver(RecordReserved(record=record("r2", edition=2, previous="r1")))
    await pid.work_off()
    first = await pid.identifier_of("r1")
    assert first["concept"] is not None
    assert related(await remote(pid, first["doi"]), "IsVersionOf") == []
    concept = (await pid.http.get(f"/api/identifiers/{first['concept']}")).json()["doi"]
    assert (await pid.http.get(f"/api/dois/{concept}", headers=pid.auth("operator"))).status_code == 404


async def test_a_concept_that_another_took_the_place_of_is_hidden(pid, record):
    family = versions(record, 5)
    await pid.deliver(*(RecordPublished(record=one) for one in family[:2]))
    pid.clock.advance(timedelta(seconds=1))
    await pid.deliver(*(RecordPublished(record=one) for one in family[3:]))
    await pid.work_off()
    handles = [(await pid.identifier_of(f"r{n}"))["concept"] for n in (1, 5)]
    stays, goes = [(await pid.http.get(f"/api/identifiers/{one}")).json()["doi"] for one in handles]
    await pid.deliver(RecordPublished(record=family[2]))
    await pid.work_off()
    assert len(related(await remote(pid, stays), "HasVersion")) == 5
    for n in range(1, 6):
        assert related(await remote(pid, (await pid.identifier_of(f"r{n}"))["doi"]), "IsVersionOf") == [stays]
    hidden = (await pid.http.get(f"/api/dois/{goes}", headers=pid.auth("operator"))).json()
    assert hidden["observed_state"] == "registered"
    assert related(hidden["attributes"], "IsIdenticalTo") == [stays]
    for place in (family[4].url, family[3].url):
        there = (await pid.http.get(f"/{goes}")).headers["location"]
        assert (await pid.http.get(there)).headers["location"] == place
        gone = family[4].model_copy(update={"state": RecordState.WITHDRAWN, "version": 2})
        await pid.deliver(RecordWithdrawn(record=gone, reason="wrong"))


async def test_a_concept_of_earlier_days_gets_a_doi(pid, record):
    family = versions(record)
    await pid.deliver(*(RecordPublished(record=one) for one in family[:2]))
    async with pid.runtime.database.engine.begin() as conn:
        await conn.execute(sa.text("DELETE FROM dois WHERE record_id IS NULL"))
        await conn.execute(sa.text("UPDATE identifiers SET doi = NULL WHERE record_id IS NULL"))
    await pid.deliver(RecordPublished(record=family[2]))
    await pid.work_off()
    concept = (await pid.identifier_of("r1"))["concept"]
    doi = (await pid.http.get(f"/api/identifiers/{concept}")).json()["doi"]
    assert doi.partition("/")[2] == concept.partition("/")[2]
    assert len(related(await remote(pid, doi), "HasVersion")) == 3
