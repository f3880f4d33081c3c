"""Plans in this service's own words: outputs, editions, versions, withdrawal."""

from typing import Any

import pytest
from indigo_contracts.dmp import PlanPublished, PlanSnapshot, PlanUpdated, PlanWithdrawn

STORAGE = {"storage_class": "TapeOnly"}


async def created(http: Any, plan: dict[str, Any]) -> str:
    answer = await http.post("/dmps", json=plan)
    plan_id: str = answer.json()["id"]
    return plan_id


async def test_publishing_tells_everything(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    fact = (await service.facts())[-1]
    assert isinstance(fact, PlanPublished)
    told = fact.plan
    assert (told.plan_id, told.version, told.edition, told.state.value) == (plan_id, 2, 1, "published")
    assert [output.key for output in told.outputs] == ["counts", "summing"]
    assert told.url == f"http://dmp.test/plans/{plan_id}"
    async with service.client() as http:
        answer = await http.get(f"/plans/{plan_id}")
    assert PlanSnapshot.model_validate(answer.json()) == told
    assert answer.headers["etag"] == '"v2"'


async def test_publishing_needs_a_scope_a_version_and_ownership(service: Any, plan: dict[str, Any]) -> None:
    async with service.client("ada") as http:
        plan_id = await created(http, plan)
        assert (await http.post(f"/plans/{plan_id}/publish")).status_code == 428
        stale = await http.post(f"/plans/{plan_id}/publish", headers={"if-match": '"v7"'})
        assert (stale.status_code, stale.headers["etag"]) == (412, '"v1"')
    match = {"if-match": '"v1"'}
    async with service.client("ada", "dmp:write") as http:
        assert (await http.post(f"/plans/{plan_id}/publish", headers=match)).status_code == 403
    async with service.client() as http:
        assert (await http.post(f"/plans/{plan_id}/publish", headers=match)).status_code == 401
    async with service.client("bob") as http:
        assert (await http.post(f"/plans/{plan_id}/publish", headers=match)).status_code == 404
    assert not [fact for fact in await service.facts() if isinstance(fact, PlanPublished)]


async def test_what_keeps_a_plan_from_being_published_is_told_at_once(service: Any, plan: dict[str, Any]) -> None:
    plan["dmp"]["dataset"][0]["indigo"]["tests"][2]["software"] = "ghost"
    plan["dmp"]["dataset"][0]["distribution"][0]["available_until"] = "2026-01-01"
    async with service.client("ada") as http:
        plan_id = await created(http, plan)
        answer = await http.post(f"/plans/{plan_id}/publish", headers={"if-match": '"v1"'})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert {error["pointer"] for error in answer.json()["errors"]} == {
        "/dmp/dataset/0/indigo/tests/2/software",
        "/dmp/dataset/0/distribution/0/available_until",
    }


async def test_a_retried_publication_is_one(service: Any, plan: dict[str, Any]) -> None:
    async with service.client("ada") as http:
        plan_id = await created(http, plan)
        headers = {"if-match": '"v1"', "idempotency-key": "once"}
        answers = [await http.post(f"/plans/{plan_id}/publish", headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json() == answers[1].json()
        again = await http.post(f"/plans/{plan_id}/publish", headers={"if-match": '"v2"'})
        assert again.status_code == 409  # nothing has changed since
    assert len([fact for fact in await service.facts() if isinstance(fact, PlanPublished)]) == 1


@pytest.mark.parametrize(
    ("part", "body"),
    [
        ("structure", {"tables": [{"name": "t", "path": "t.csv", "fields": [{"name": "a", "unit": "mm"}]}]}),
        ("taxa", [{"scientific_name": "Carabus auratus", "rank": "species"}]),
        ("storage", STORAGE),
        ("tests", [{"key": "there", "level": "existence", "files": ["a/b.csv"]}]),
    ],
)
async def test_parts_of_an_output_are_replaced(service: Any, plan: dict[str, Any], part: str, body: Any) -> None:
    async with service.client("ada") as http:
        plan_id = await created(http, plan)
        path = f"/plans/{plan_id}/outputs/summing/{part}"
        assert (await http.put(path, json=body)).status_code == 428
        assert (await http.put(path, json=body, headers={"if-match": '"v2"'})).status_code == 412
        answer = await http.put(path, json=body, headers={"if-match": '"v1"'})
        assert (answer.status_code, answer.headers["etag"]) == (200, '"v2"'), answer.text
        document = (await http.get(f"/dmps/{plan_id}")).json()
        assert document["dmp"]["dataset"][1]["indigo"][part] == body
        assert document["dmp"]["dataset"][0]["indigo"] == plan["dmp"]["dataset"][0]["indigo"]
        missing = await http.put(f"/plans/{plan_id}/outputs/ghost/{part}", json=body, headers={"if-match": '"v2"'})
        assert missing.status_code == 404
    assert isinstance((await service.facts())[-1], PlanUpdated)


@pytest.mark.parametrize(
    ("part", "body", "pointer"),
    [
        ("structure", {"tables": [], "colour": 1}, "/colour"),
        ("structure", {"tables": [{"name": "t", "path": "../t", "fields": [{"name": "a"}]}]}, "/tables/0/path"),
        ("storage", {"storage_class": "X", "price": 1}, "/price"),
        ("storage", {}, "/storage_class"),
        ("tests", [{"key": "there", "level": "existence", "file": []}], "/0/file"),
        ("tests", [{"key": "Not a key", "level": "existence"}], "/0/key"),
        ("tests", [{"key": "columns", "level": "content"}], "/dmp/dataset/1/indigo"),
        ("taxa", [{"scientific_name": ""}], "/0/scientific_name"),
    ],
)
async def test_a_part_that_does_not_fit_is_refused_at_its_place(
    service: Any, plan: dict[str, Any], part: str, body: Any, pointer: str
) -> None:
    async with service.client("ada") as http:
        plan_id = await created(http, plan)
        path = f"/plans/{plan_id}/outputs/summing/{part}"
        answer = await http.put(path, json=body, headers={"if-match": '"v1"'})
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
        as_text = await http.put(path, content=b"x", headers={"if-match": '"v1"', "content-type": "text/plain"})
        assert as_text.status_code == 415
        assert (await http.get(f"/plans/{plan_id}")).headers["etag"] == '"v1"'


async def test_every_version_is_kept(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    plan["dmp"]["title"] = "Second"
    async with service.client("ada") as http:
        await http.put(f"/dmps/{plan_id}", json=plan)
        first_page = await http.get(f"/plans/{plan_id}/versions?limit=2")
        assert [(one["version"], one["change"]) for one in first_page.json()["items"]] == [
            (3, "edited"),
            (2, "published"),
        ]
        cursor = first_page.json()["next_cursor"]
        rest = (await http.get(f"/plans/{plan_id}/versions?limit=2&cursor={cursor}")).json()
        assert [(one["version"], one["change"]) for one in rest["items"]] == [(1, "created")]
        assert rest["next_cursor"] is None
        old = (await http.get(f"/plans/{plan_id}/versions/1")).json()
        assert (old["title"], old["state"], old["edition"]) == ("Beetles of the valley", "draft", 0)
        assert (await http.get(f"/plans/{plan_id}/versions/4")).status_code == 404
        assert (await http.get(f"/plans/{plan_id}/versions/{2**40}")).status_code == 422
        await http.post(f"/plans/{plan_id}/publish", headers={"if-match": '"v3"'})
    async with service.client("bob") as http:
        listed = (await http.get(f"/plans/{plan_id}/versions")).json()["items"]
        assert [(one["version"], one["edition"]) for one in listed] == [(4, 2), (2, 1)]
        assert (await http.get(f"/plans/{plan_id}/versions/2")).json()["title"] == "Beetles of the valley"
        assert (await http.get(f"/plans/{plan_id}/versions/3")).status_code == 404


async def test_lists_have_mine_and_the_published_ones(service: Any, plan: dict[str, Any]) -> None:
    theirs = await service.published(plan, "eve")
    async with service.client("eve") as http:
        plan["dmp"]["title"] = "Not yet"
        await http.put(f"/dmps/{theirs}", json=plan)
    async with service.client("ada") as http:
        mine = await created(http, plan)
        page = (await http.get("/plans?limit=1")).json()
        assert [(one["plan_id"], one["mine"]) for one in page["items"]] == [(mine, True)]
        page = (await http.get(f"/plans?limit=1&cursor={page['next_cursor']}")).json()
        assert [(one["plan_id"], one["mine"], one["title"]) for one in page["items"]] == [
            (theirs, False, "Beetles of the valley")
        ]
        assert page["next_cursor"] is None
    async with service.client() as http:
        assert [one["plan_id"] for one in (await http.get("/plans")).json()["items"]] == [theirs]
        assert (await http.get(f"/plans/{mine}")).status_code == 404


async def test_a_withdrawn_plan_leaves_a_tombstone(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    plan["dmp"]["title"] = "Never shown"
    async with service.client("ada") as http:
        await http.put(f"/dmps/{plan_id}", json=plan)
        path, match = f"/plans/{plan_id}/withdraw", {"if-match": '"v3"'}
        assert (await http.post(path, json={"reason": " "}, headers=match)).status_code == 422
        assert (await http.post(path, json={"reason": "x", "why": 1}, headers=match)).status_code == 422
        answer = await http.post(path, json={"reason": "The valley is closed"}, headers=match)
        assert (answer.status_code, answer.json()["state"], answer.headers["etag"]) == (200, "withdrawn", '"v4"')
        assert (await http.get(f"/plans/{plan_id}")).json()["state"] == "withdrawn"
        for change in (
            await http.post(path, json={"reason": "x"}, headers={"if-match": '"v4"'}),
            await http.put(f"/dmps/{plan_id}", json=plan),
            await http.post(f"/plans/{plan_id}/publish", headers={"if-match": '"v4"'}),
        ):
            assert change.status_code == 409
    fact = (await service.facts())[-1]
    assert isinstance(fact, PlanWithdrawn)
    assert (fact.reason, fact.plan.version, fact.plan.title) == (
        "The valley is closed",
        4,
        "Beetles of the valley",
    )
    async with service.client() as http:
        for path in (f"/plans/{plan_id}", f"/plans/{plan_id}/promises", f"/plans/{plan_id}/versions"):
            tombstone = await http.get(path)
            assert tombstone.status_code == 410
            assert tombstone.json()["reason"] == "The valley is closed"
            assert tombstone.json()["plan_title"] == "Beetles of the valley"
        assert (await http.get(f"/dmps/{plan_id}")).status_code == 410
        assert (await http.get("/dmps")).json()["total_count"] == 0
        assert (await http.get("/plans")).json()["items"] == []
    async with service.client("bob") as http:
        assert (await http.put(f"/dmps/{plan_id}", json=plan)).status_code == 410


async def test_a_draft_is_deleted_and_not_withdrawn(service: Any, plan: dict[str, Any]) -> None:
    async with service.client("ada") as http:
        plan_id = await created(http, plan)
        answer = await http.post(f"/plans/{plan_id}/withdraw", json={"reason": "x"}, headers={"if-match": '"v1"'})
        assert answer.status_code == 409
