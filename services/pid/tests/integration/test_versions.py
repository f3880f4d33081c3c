"""Versions of a record share a concept identifier that leads to the newest, in whatever order they are heard of."""

from __future__ import annotations

from itertools import permutations

import pytest
from indigo_contracts.repository import RecordPublished, RecordState, RecordWithdrawn

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
