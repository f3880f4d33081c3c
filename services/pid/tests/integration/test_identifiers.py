from __future__ import annotations

import asyncio

import pytest
from indigo_contracts.repository import RecordPublished, RecordReserved, RecordState, RecordWithdrawn

TARGET = "https://data.example.org/42"


async def test_minting_with_a_target_is_active_at_once(pid):
    made = await pid.mint(kind="dataset", target=TARGET, metadata={"title": "Mine"})
    assert (made["state"], made["target"], made["metadata"]) == ("active", TARGET, {"title": "Mine"})
    assert made["doi"] is None
    (fact,) = await pid.facts()
    assert fact["fact"] == "pid.identifier.minted.v1"
    assert fact["subject"] == f"identifiers/{made['handle']}"
    assert fact["actor"]["sub"] == "ana"
    read = await pid.http.get(f"/api/identifiers/{made['handle']}")
    assert read.json() == made
    assert read.headers["etag"] == f'"v{made["version"]}"'
    again = await pid.http.get(
        f"/api/identifiers/{made['handle']}", headers={"if-none-match": read.headers["etag"]}
    )
    assert again.status_code == 304


async def test_the_same_key_mints_once(pid):
    headers = pid.auth("pid:mint")
    answers = [await pid.http.post("/api/identifiers", json={}, headers=headers) for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert answers[0].headers["location"].endswith("/api/identifiers/" + answers[0].json()["handle"])
    assert len(await pid.facts()) == 1
    other = await pid.http.post("/api/identifiers", json={"kind": "software"}, headers=headers)
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"target": "javascript:alert(1)"}, "/target"),
        ({"target": "https://u:p@example.org/"}, "/target"),
        ({"kind": "planet"}, "/kind"),
        ({"metadata": {"a": "x" * 70_000}}, "/metadata"),
        ({"handle": "21.T99999/mine"}, "/handle"),
    ],
)
async def test_bad_bodies_are_told_where(pid, body, pointer):
    answer = await pid.http.post("/api/identifiers", json=body, headers=pid.auth("pid:mint"))
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]
    assert await pid.facts() == []


async def test_who_may_mint(pid):
    key = {"idempotency-key": "k"}
    assert (await pid.http.post("/api/identifiers", json={}, headers=key)).status_code == 401
    assert (await pid.http.post("/api/identifiers", json={}, headers=pid.auth("dmp:write"))).status_code == 403
    keyless = pid.auth("pid:mint")
    del keyless["idempotency-key"]
    assert (await pid.http.post("/api/identifiers", json={}, headers=keyless)).status_code == 400


async def test_hosts_can_be_limited(start_pid):
    async with start_pid(target_hosts=["*.example.org"]) as pid:
        assert (await pid.mint(target=TARGET))["state"] == "active"
        answer = await pid.http.post(
            "/api/identifiers", json={"target": "https://evil.test/"}, headers=pid.auth("pid:mint")
        )
        assert answer.status_code == 422


async def test_hosts_can_be_limited_for_a_prefix(start_pid):
    groups = {"21.T14999": [{"issuer": "https://issuer.example.org", "group": "/lab"}]}
    limits = {"target_hosts": ["*.example.org"], "prefix_hosts": {"21.t14999": ["lab.example.net"]}}
    async with start_pid(prefix_groups=groups, **limits) as pid:
        token = pid.issuer.token("ana", ["pid:mint"], groups=["/lab"])

        async def mint(target, **body):
            headers = {**pid.auth("pid:mint"), "authorization": f"Bearer {token}"}
            return await pid.http.post("/api/identifiers", json={"target": target, **body}, headers=headers)

        lab, usual = "https://lab.example.net/1", "https://data.example.org/1"
        for target, prefix, status in (
            (usual, None, 201),
            (lab, None, 422),
            (lab, "21.T14999", 201),
            (usual, "21.T14999", 422),
        ):
            made = await mint(target, prefix=prefix)
            assert made.status_code == status, (target, prefix, made.text)
            if (target, status) == (lab, 201):
                assert (await change(pid, made.json(), {"target": usual})).status_code == 422
        values = [{"index": 1, "type": "URL", "data": usual}]
        headers = {"authorization": f"Bearer {token}"}
        written = await pid.http.put("/api/handles/21.T14999/x", json=values, headers=headers)
        assert written.status_code == 400


async def change(pid, made, body, *, version=None, **auth):
    headers = {**pid.auth("pid:mint", **auth), "if-match": f'"v{version or made["version"]}"'}
    return await pid.http.patch(f"/api/identifiers/{made['handle']}", json=body, headers=headers)


async def test_a_reserved_identifier_becomes_active_with_its_target(pid):
    made = await pid.mint(metadata={"a": {"b": 1, "c": 2}})
    assert made["state"] == "reserved"
    assert (await pid.http.get(f"/{made['handle']}")).status_code == 404
    changed = await change(pid, made, {"target": TARGET, "metadata": {"a": {"b": None}}})
    assert changed.status_code == 200
    assert (changed.json()["state"], changed.json()["metadata"]) == ("active", {"a": {"c": 2}})
    assert changed.headers["etag"] == f'"v{changed.json()["version"]}"'
    assert (await pid.http.get(f"/{made['handle']}")).headers["location"] == TARGET
    assert len(await pid.facts("pid.identifier.updated.v1")) == 1
    same = await change(pid, changed.json(), {"target": TARGET})
    assert same.json()["version"] == changed.json()["version"]
    assert len(await pid.facts("pid.identifier.updated.v1")) == 1


async def test_a_change_names_the_version_it_changes(pid):
    made = await pid.mint(target=TARGET)
    url = f"/api/identifiers/{made['handle']}"
    body = {"target": TARGET + "/new"}
    assert (await pid.http.patch(url, json=body, headers=pid.auth("pid:mint"))).status_code == 428
    assert (await change(pid, made, body, version=99)).status_code == 412
    answers = await asyncio.gather(*(change(pid, made, {"target": f"{TARGET}/{n}"}) for n in range(4)))
    assert sorted(one.status_code for one in answers) == [200, 412, 412, 412]


@pytest.mark.parametrize("body", [{}, {"target": None}, {"target": ""}, {"state": "active"}, []])
async def test_bad_changes(pid, body):
    made = await pid.mint(target=TARGET)
    assert (await change(pid, made, body)).status_code == 422


async def test_others_identifiers_are_read_and_not_changed(pid):
    made = await pid.mint(target=TARGET)
    assert (await change(pid, made, {"target": TARGET + "/x"}, who="eve")).status_code == 403
    hidden = await pid.mint()
    url = f"/api/identifiers/{hidden['handle']}"
    assert (await pid.http.get(url)).status_code == 404
    assert (await pid.http.get(url, headers=pid.auth(who="eve"))).status_code == 404
    assert (await change(pid, hidden, {"target": TARGET}, who="eve")).status_code == 404
    assert (await pid.http.get(url, headers=pid.auth(who="ana"))).status_code == 200


async def test_a_tombstone_is_for_good(pid):
    made = await pid.mint(target=TARGET)
    url = f"/api/identifiers/{made['handle']}"
    headers = {**pid.auth("pid:mint"), "if-match": "*"}
    assert (await pid.http.delete(url, headers=headers)).status_code == 422
    gone = await pid.http.delete(url, params={"reason": "lost"}, headers=headers)
    assert gone.status_code == 200
    assert gone.json()["tombstone"]["reason"] == "lost"
    assert (await pid.http.get(f"/{made['handle']}")).status_code == 410
    assert (await pid.http.delete(url, params={"reason": "again"}, headers=headers)).status_code == 409
    assert (await change(pid, gone.json(), {"target": TARGET})).status_code == 409
    (fact,) = await pid.facts("pid.identifier.tombstoned.v1")
    assert fact["reason"] == "lost"


async def test_an_identifier_of_a_record_is_changed_through_the_record(pid, record):
    await pid.deliver(RecordPublished(record=record(state=RecordState.PUBLISHED)))
    made = await pid.identifier_of("r1")
    assert (await change(pid, made, {"target": TARGET})).status_code == 403
    headers = {**pid.auth("pid:mint", "operator"), "if-match": "*"}
    answer = await pid.http.patch(f"/api/identifiers/{made['handle']}", json={"target": TARGET}, headers=headers)
    assert answer.status_code == 409
    assert "r1" in answer.json()["detail"]


async def test_an_unknown_identifier(pid):
    for name in ("21.T99999/x", "nothing", "10.5072/x", "%2e%2e/x"):
        assert (await pid.http.get(f"/api/identifiers/{name}")).status_code == 404


class TestHandleFace:
    async def test_values_as_the_handle_system_tells_them(self, pid):
        made = await pid.mint(target=TARGET, kind="dataset")
        answer = await pid.http.get(f"/api/handles/{made['handle'].lower()}")
        assert answer.status_code == 200
        told = answer.json()
        assert told["responseCode"] == 1
        assert [one["index"] for one in told["values"]] == [1, 2, 4, 100]
        assert told["values"][0] == {
            "index": 1,
            "type": "URL",
            "data": {"format": "string", "value": TARGET},
            "ttl": 300,
            "timestamp": "2026-01-01T00:00:00Z",
        }
        assert told["values"][-1]["data"]["value"] == {
            "handle": "0.NA/21.T99999",
            "index": 200,
            "permissions": "011111110011",
        }

    @pytest.mark.parametrize(
        ("query", "code", "types"),
        [
            ("?type=URL", 1, ["URL"]),
            ("?type=url&index=2", 1, ["URL", "ARK"]),
            ("?index=1&index=2", 1, ["URL", "ARK"]),
            ("?type=HS_ADMIN", 1, ["HS_ADMIN"]),
            ("?type=NOPE", 200, []),
            ("?auth=true&pretty", 1, ["URL", "ARK", "HS_ADMIN"]),
        ],
    )
    async def test_values_are_chosen_by_type_or_index(self, pid, query, code, types):
        made = await pid.mint(target=TARGET)
        answer = await pid.http.get(f"/api/handles/{made['handle']}{query}")
        assert answer.status_code == 200
        assert answer.json()["responseCode"] == code
        assert [one["type"] for one in answer.json()["values"]] == types

    async def test_unknown_reserved_and_impossible_handles(self, pid, record):
        await pid.deliver(RecordReserved(record=record()))
        reserved = (await pid.identifier_of("r1"))["handle"]
        for handle in (reserved, "21.T99999/zzz", "21.T1/(SICI)<1::AID>"):
            answer = await pid.http.get(f"/api/handles/{handle}")
            assert answer.status_code == 404
            assert answer.json() == {"responseCode": 100, "handle": handle}
        answer = await pid.http.get("/api/handles/nothing")
        assert (answer.status_code, answer.json()["responseCode"]) == (400, 102)
        assert (await pid.http.get(f"/api/handles/21.T99999/x?index={2**64}")).status_code == 422

    async def test_a_tombstoned_handle_leads_to_its_tombstone(self, pid, record):
        gone = record(state=RecordState.WITHDRAWN, version=2)
        await pid.deliver(RecordWithdrawn(record=gone, reason="wrong sensor"))
        names = await pid.identifier_of("r1")
        values = {
            one["type"]: one["data"]["value"]
            for one in (await pid.http.get(f"/api/handles/{names['doi']}")).json()["values"]
        }
        assert values["URL"] == names["resolver_url"]
        assert values["TOMBSTONE"] == "wrong sensor"
        assert values["DOI"] == names["doi"]
