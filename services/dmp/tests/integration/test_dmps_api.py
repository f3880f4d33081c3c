"""The RDA common maDMP API on ``/dmps``."""

import copy
from datetime import timedelta
from typing import Any

import pytest
from indigo_contracts.dmp import PlanCreated, PlanUpdated

V12 = "application/vnd.org.rd-alliance.dmp-common.v1.2+json"
V13 = "application/vnd.org.rd-alliance.dmp-common.v1.3+json"


def code(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["error_message"]
    return answer.status_code, body["error_code"]


async def test_a_plan_is_kept_without_loss(service: Any, plan: dict[str, Any]) -> None:
    plan["dmp"]["mood"] = {"unknown": ["to", "the", 1.5, None]}
    async with service.client("ada") as http:
        created = await http.post("/dmps", json=plan)
        assert created.status_code == 200
        body = created.json()
        assert created.headers["location"] == f"http://dmp.test/dmps/{body['id']}"
        got = await http.get(f"/dmps/{body['id']}")
    assert got.json() == body
    assert got.headers["etag"] == '"v1"'
    assert got.headers["last-modified"] == "Sun, 01 Feb 2026 12:00:00 GMT"
    kept = body["dmp"]
    assert kept["dmp_id"] == {"identifier": f"http://dmp.test/plans/{body['id']}", "type": "url"}
    assert kept["alternate_identifier"] == [plan["dmp"]["dmp_id"]]
    assert kept["modified"] == "2026-02-01T12:00:00Z"
    assert kept["created"] == plan["dmp"]["created"]
    assert kept["dataset"][1]["indigo"] == {"key": "summing"}
    for name in ("dmp_id", "alternate_identifier", "modified", "dataset"):
        kept.pop(name)
        plan["dmp"].pop(name, None)
    assert kept == plan["dmp"]
    [fact] = await service.facts()
    assert fact == PlanCreated(plan_id=body["id"], version=1, actor=fact.actor)
    assert fact.actor.sub == "ada"


async def test_media_types_are_negotiated(service: Any, plan: dict[str, Any]) -> None:
    plan["dmp"]["dataset"][0]["distribution"][0]["data_access"] = "restricted"
    async with service.client("ada") as http:
        assert code(await http.post("/dmps", json=plan)) == (400, "dmp_invalid")
        created = await http.post("/dmps", json=plan, headers={"content-type": V13, "accept": V13})
        assert created.headers["content-type"] == V13
        assert created.json()["dmp"]["dataset"][0]["distribution"][0]["data_access"] == "restricted"
        old = await http.get(f"/dmps/{created.json()['id']}", headers={"accept": V12})
        assert old.headers["content-type"] == V12
        assert old.json()["dmp"]["dataset"][0]["distribution"][0]["data_access"] == "shared"
        nothing = await http.get(f"/dmps/{created.json()['id']}", headers={"accept": "text/csv"})
        assert code(nothing) == (406, "not_acceptable")


async def test_bad_bodies(service: Any, plan: dict[str, Any]) -> None:
    async with service.client("ada") as http:
        json_type = {"content-type": "application/json"}
        assert code(await http.post("/dmps", content=b"{", headers=json_type)) == (400, "bad_request")
        assert code(await http.post("/dmps", content=b"", headers=json_type)) == (400, "dmp_invalid")
        assert code(await http.post("/dmps", content=b'{"dmp": "\\u0000"}', headers=json_type)) == (
            400,
            "bad_request",
        )
        assert code(await http.post("/dmps", json={})) == (400, "dmp_invalid")
        text = await http.post("/dmps", content=b"dmp: {}", headers={"content-type": "text/yaml"})
        assert code(text) == (415, "unsupported_media_type")
        plan["dmp"]["dataset"][0]["indigo"]["colour"] = "red"
        wrong = await http.post("/dmps", json=plan)
        assert code(wrong) == (400, "dmp_invalid")
        assert [error["pointer"] for error in wrong.json()["errors"]] == ["/dmp/dataset/0/indigo/colour"]
        # The body is checked before the plan is looked for.
        assert code(await http.put("/dmps/none", json={})) == (400, "dmp_invalid")
    assert await service.facts() == []


async def test_who_may_write(service: Any, plan: dict[str, Any]) -> None:
    async with service.client() as http:
        assert code(await http.post("/dmps", json=plan)) == (401, "authentication_required")
        assert code(await http.delete("/dmps/x")) == (401, "authentication_required")
    async with service.client("ada", "dmp:publish") as http:
        assert code(await http.post("/dmps", json=plan)) == (403, "insufficient_permissions")
    async with service.client("ada") as http:
        assert code(await http.patch("/dmps", json={})) == (405, "generic_error")


async def test_drafts_are_private_and_published_plans_are_not(service: Any, plan: dict[str, Any]) -> None:
    async with service.client("ada") as http:
        draft = (await http.post("/dmps", json=plan)).json()["id"]
    public = await service.published(plan, "eve")
    async with service.client("bob") as http:
        for answer in (
            await http.get(f"/dmps/{draft}"),
            await http.put(f"/dmps/{draft}", json=plan),
            await http.delete(f"/dmps/{draft}"),
        ):
            assert code(answer) == (404, "dmp_not_found")
        assert (await http.get(f"/dmps/{public}")).status_code == 200
        assert code(await http.put(f"/dmps/{public}", json=plan)) == (403, "insufficient_permissions")
        assert code(await http.delete(f"/dmps/{public}")) == (403, "insufficient_permissions")
        listed = (await http.get("/dmps")).json()
        assert ([item["id"] for item in listed["items"]], listed["total_count"]) == ([public], 1)
        # That somebody else has a plan of this dmp_id is not told.
        assert (await http.post("/dmps", json=plan)).status_code == 200
    async with service.client() as http:
        assert code(await http.get(f"/dmps/{draft}")) == (404, "dmp_not_found")
        assert (await http.get("/dmps")).json()["total_count"] == 1
    async with service.client("root", "operator") as http:
        assert (await http.get(f"/dmps/{draft}")).status_code == 200
        assert (await http.get("/dmps")).json()["total_count"] == 3


async def test_a_plan_of_ones_own_is_not_made_twice(service: Any, plan: dict[str, Any]) -> None:
    async with service.client("ada") as http:
        first = (await http.post("/dmps", json=plan)).json()
        again = await http.post("/dmps", json=plan)
        assert code(again) == (409, "dmp_already_exists")
        assert first["id"] in again.json()["error_message"]
        ours = copy.deepcopy(plan)
        ours["dmp"]["dmp_id"] = first["dmp"]["dmp_id"]
        assert code(await http.post("/dmps", json=ours)) == (409, "dmp_already_exists")
        plan["dmp"]["dmp_id"]["identifier"] = ""
        assert [(await http.post("/dmps", json=plan)).status_code for _ in range(2)] == [200, 200]


async def test_the_same_key_creates_once(service: Any, plan: dict[str, Any]) -> None:
    async with service.client("ada") as http:
        answers = [await http.post("/dmps", json=plan, headers={"idempotency-key": "k"}) for _ in range(2)]
        assert answers[0].json() == answers[1].json()
        assert answers[1].headers["idempotency-replayed"] == "true"
        assert answers[1].headers["content-type"] == "application/json"
    assert len(await service.facts()) == 1


async def test_put_replaces_but_created_and_dmp_id_stay(service: Any, plan: dict[str, Any]) -> None:
    async with service.client("ada") as http:
        first = (await http.post("/dmps", json=plan)).json()
        service.clock.advance(timedelta(seconds=5))
        plan["dmp"] |= {"title": "New", "created": "2020-01-01T00:00:00Z", "modified": "2020-01-01T00:00:00Z"}
        plan["dmp"]["dmp_id"]["identifier"] = "https://other.example/8"
        del plan["dmp"]["dataset"][0]["indigo"]
        put = await http.put(f"/dmps/{first['id']}", json=plan)
        assert put.status_code == 200
        got = await http.get(f"/dmps/{first['id']}")
    assert got.json() == put.json()
    dmp = got.json()["dmp"]
    assert dmp["title"] == "New"
    assert dmp["created"] == first["dmp"]["created"]
    assert dmp["modified"] == "2026-02-01T12:00:05Z"
    assert dmp["dmp_id"] == first["dmp"]["dmp_id"]
    assert dmp["alternate_identifier"] == [{"identifier": "https://other.example/8", "type": "url"}]
    assert dmp["dataset"][0]["indigo"] == {"key": "counts"}
    assert isinstance((await service.facts())[1], PlanUpdated)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"if-match": '"v1"'}, (409, "dmp_stale")),
        ({"if-match": 'W/"v2"'}, (409, "dmp_stale")),
        ({"if-match": "v2"}, (400, "bad_request")),
        ({"if-unmodified-since": "Sun, 01 Feb 2026 12:00:00 GMT"}, (409, "dmp_stale")),
        ({"if-unmodified-since": "2026-02-01T12:00:00Z"}, (409, "dmp_stale")),
        ({"if-unmodified-since": "last week"}, (400, "bad_request")),
        ({"if-match": '"v2"', "if-unmodified-since": "Sun, 01 Feb 2026 12:00:00 GMT"}, None),
        ({"if-unmodified-since": "Sun, 01 Feb 2026 12:00:01 GMT"}, None),
        ({"if-match": '"v1", "v2"'}, None),
        ({"if-match": "*"}, None),
        ({}, None),
    ],
)
async def test_preconditions(service: Any, plan: dict[str, Any], headers: dict[str, str], expected: Any) -> None:
    async with service.client("ada") as http:
        plan_id = (await http.post("/dmps", json=plan)).json()["id"]
        service.clock.advance(timedelta(seconds=1, milliseconds=500))
        second = await http.put(f"/dmps/{plan_id}", json=plan)
        assert second.headers["last-modified"] == "Sun, 01 Feb 2026 12:00:01 GMT"
        for method in ("PUT", "DELETE"):
            answer = await http.request(method, f"/dmps/{plan_id}", json=plan, headers=headers)
            if expected:
                assert code(answer) == expected
            else:
                assert answer.status_code in {200, 204}
                break


async def test_delete_forgets_a_draft_and_keeps_a_published_plan(service: Any, plan: dict[str, Any]) -> None:
    async with service.client("ada") as http:
        draft = (await http.post("/dmps", json=plan)).json()["id"]
        assert (await http.delete(f"/dmps/{draft}")).status_code == 204
        assert code(await http.get(f"/dmps/{draft}")) == (404, "dmp_not_found")
        public = await service.published(plan)
        assert code(await http.delete(f"/dmps/{public}")) == (409, "conflict")


async def test_head_tells_what_get_would(service: Any, plan: dict[str, Any]) -> None:
    async with service.client("ada") as http:
        plan_id = (await http.post("/dmps", json=plan)).json()["id"]
        head = await http.head(f"/dmps/{plan_id}")
        assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", '"v1"')
        gone = await http.head("/dmps/none")
        assert (gone.status_code, gone.content) == (404, b"")


async def test_search(service: Any, plan: dict[str, Any]) -> None:
    moths = copy.deepcopy(plan)
    moths["dmp"] |= {
        "title": "Moths at night_100%",
        "language": "deu",
        "created": "2026-01-15T00:00:00Z",
        "dmp_id": {"identifier": "10.5072/moths", "type": "doi"},
        "contributor": [
            {"name": "B", "role": ["x"], "contributor_id": [{"identifier": "0000-1", "type": "orcid"}]}
        ],
        "project": [{"title": "Night life", "funding": [{"funder_id": {"identifier": "501", "type": "fundref"}}]}],
    }
    moths["dmp"]["dataset"][0]["distribution"][0]["license"][0]["license_ref"] = "https://lic.example/x"
    async with service.client("ada") as http:
        beetles_id = (await http.post("/dmps", json=plan)).json()["id"]
        service.clock.advance(timedelta(minutes=30))
        moths_id = (await http.post("/dmps", json=moths)).json()["id"]
        both = [moths_id, beetles_id]

        async def found(**query: Any) -> list[str]:
            answer = await http.get("/dmps", params=query)
            assert answer.status_code == 200, answer.text
            return [item["id"] for item in answer.json()["items"]]

        assert await found() == both
        assert await found(**{"sort[]": "created,asc"}) == both[::-1]
        assert await found(sort=["title,asc"]) == both[::-1]
        assert await found(count=1, offset=1) == [beetles_id]
        assert (await http.get("/dmps?count=1")).json()["total_count"] == 2
        assert await found(**{"languages[]": ["deu", "fra"]}) == [moths_id]
        assert await found(contact_ids="0000-0002-1825-0097") == both
        assert await found(contributor_ids="0000-1") == [moths_id]
        assert await found(dataset_ids=["counts", "x"]) == both
        assert await found(dataset_ids="x") == []
        assert await found(dmp_alternate_identifier="10.5072/moths") == [moths_id]
        assert await found(dmp_ids=f"http://dmp.test/plans/{moths_id}") == [moths_id]
        assert await found(funder_ids="501") == [moths_id]
        assert await found(license_refs="https://lic.example/x/") == [moths_id]
        assert await found(distribution_formats="text/csv", languages="eng") == [beetles_id]
        assert await found(created_after="2026-01-15T00:00:00Z") == []
        assert await found(created_before="2026-01-15T00:00:00Z", created_after="2025-12-31T00:00:00") == [
            moths_id
        ]
        assert await found(modified_after="2026-02-01T12:00:00Z") == [moths_id]
        assert await found(modified_before="2026-02-01T12:00:00Z") == [beetles_id]
        assert await found(query="NIGHT LIFE") == [moths_id]
        assert await found(query="t_100%") == [moths_id]
        assert await found(query="n%t") == []
        assert await found(**{"query[]": ["valley", "moths"]}) == both
        assert await found(query="0000-0002-1825-0097") == []
        assert await found(ethical_issues_exist="false") == both
        for wrong in ("colour=red", "count=101", "sort[]=embargo,asc", "funding_status=x", "query=%20"):
            assert code(await http.get(f"/dmps?{wrong}")) == (400, "invalid_query_string")


async def test_others_search_the_published_edition(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    plan["dmp"]["title"] = "Secret plans"
    async with service.client("ada") as http:
        assert (await http.put(f"/dmps/{plan_id}", json=plan)).headers["etag"] == '"v3"'
        assert (await http.get("/dmps", params={"query": "secret"})).json()["total_count"] == 1
    async with service.client("bob") as http:
        assert (await http.get("/dmps", params={"query": "secret"})).json()["total_count"] == 0
        got = await http.get(f"/dmps/{plan_id}")
        assert got.json()["dmp"]["title"] == "Beetles of the valley"
        assert got.headers["etag"] == '"v2"'
        assert (await http.get(f"/dmps/{plan_id}", headers={"if-none-match": '"v2"'})).status_code == 304
