"""Many at once, names of one's own, and who may make names where."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from indigo_pid.domain.suffix import is_valid_suffix

TARGET = "https://data.example.org/42"
LAB = "21.T14999"
GROUPS = {LAB: [{"issuer": "https://issuer.example.org", "group": "/lab"}]}


async def bulk(pid, body, **auth):
    return await pid.http.post("/api/identifiers/bulk", json=body, headers=pid.auth("pid:mint", **auth))


async def test_ten_thousand_at_once(pid):
    headers = pid.auth("pid:mint")
    body = {"count": 10_000, "kind": "dataset"}
    made = await pid.http.post("/api/identifiers/bulk", json=body, headers=headers, timeout=60)
    assert made.status_code == 201
    items = made.json()["items"]
    assert len({one["handle"] for one in items}) == 10_000
    assert all(one["state"] == "reserved" and one["ark"] for one in items)
    assert all(is_valid_suffix("99999", one["handle"].partition("/")[2]) for one in items)
    again = await pid.http.post("/api/identifiers/bulk", json=body, headers=headers, timeout=60)
    assert again.json() == made.json()
    assert len(await pid.facts("pid.identifier.minted.v1")) == 10_000
    async with pid.runtime.database.engine.connect() as conn:
        rows = await conn.execute(sa.text("SELECT count(*) FROM identifier_history"))
        assert rows.scalar_one() == 10_000
    history = await pid.http.get(f"/api/identifiers/{items[17]['handle']}/history", headers=headers)
    assert history.json()["broken"] is None


async def test_each_item_is_what_it_asked_for_in_order(pid):
    items = [
        {"suffix": "mine/1"},
        {"target": TARGET, "metadata": {"n": 1}},
        {},
        {"suffix": "mine/2", "target": TARGET},
    ]
    made = (await bulk(pid, {"items": items})).json()["items"]
    assert [one["state"] for one in made] == ["reserved", "active", "reserved", "active"]
    assert [made[0]["handle"], made[3]["handle"]] == ["21.T99999/mine/1", "21.T99999/mine/2"]
    assert [one["ark"] is None for one in made] == [True, False, False, True]
    assert (await pid.http.get("/21.t99999/MINE/2")).headers["location"] == TARGET
    assert (await pid.http.get("/ark:/99999/mine/2")).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"count": 1, "items": [{}]}, ""),
        ({"items": [{}], "kind": "dataset"}, ""),
        ({"count": 0}, "/count"),
        ({"count": 10_001}, "/count"),
        ({"items": []}, "/items"),
        ({"items": [{}, {"target": "ftp://x"}]}, "/items/1/target"),
        ({"items": [{}, {"suffix": "a b"}]}, "/items/1/suffix"),
        ({"items": [{"suffix": "a"}, {"prefix": "21.T1"}]}, "/items/1/prefix"),
        ({"count": 2, "prefix": "10.5072"}, "/items/0/prefix"),
    ],
)
async def test_bad_items_are_told_where_and_nothing_is_made(pid, body, pointer):
    answer = await bulk(pid, body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert await pid.facts() == []


@pytest.mark.parametrize(
    "suffix", ["", "a b", "a//b", "/a", "a/", "..", "a/../b", "a%2Fb", "é", "x" * 201, "a?b", "a#b", "a\n"]
)
async def test_suffixes_that_cannot_be(pid, suffix):
    answer = await pid.http.post("/api/identifiers", json={"suffix": suffix}, headers=pid.auth("pid:mint"))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/suffix"


async def test_a_name_is_given_once(pid):
    made = await pid.mint(suffix="Mine", target=TARGET)
    for suffix in ("Mine", "mINE"):
        answer = await pid.http.post("/api/identifiers", json={"suffix": suffix}, headers=pid.auth("pid:mint"))
        assert answer.status_code == 409
        assert answer.json()["errors"][0]["code"] == "taken"
    headers = {**pid.auth("pid:mint"), "if-match": "*"}
    await pid.http.delete(f"/api/identifiers/{made['handle']}", params={"reason": "lost"}, headers=headers)
    answer = await bulk(
        pid, {"items": [{"suffix": "other"}, {"suffix": "MINE"}, {"suffix": "OTHER"}, {"suffix": "other"}]}
    )
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("already-exists")
    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [
        ("/items/1/suffix", "tombstoned"),
        ("/items/2/suffix", "taken"),
        ("/items/3/suffix", "taken"),
    ]
    assert (await pid.http.get("/api/identifiers/21.T99999/other", headers=pid.auth())).status_code == 404


async def test_prefixes_belong_to_groups(start_pid):
    async with start_pid(prefix_groups=GROUPS) as pid:

        async def mint(token_groups, body):
            token = pid.issuer.token("ana", ["pid:mint"], groups=token_groups)
            headers = {**pid.auth(), "authorization": f"Bearer {token}"}
            return await pid.http.post("/api/identifiers", json=body, headers=headers)

        made = await mint(["/lab"], {"prefix": LAB.lower(), "suffix": "a", "target": TARGET})
        assert made.status_code == 201, made.text
        assert made.json()["handle"] == f"{LAB}/a"
        assert (await pid.http.get(f"/{LAB}/A")).headers["location"] == TARGET
        assert "never given" in (await pid.http.get(f"/{LAB}/b")).json()["detail"]
        for groups in ([], ["/other"]):
            refused = await mint(groups, {"prefix": LAB})
            assert refused.status_code == 403
            assert LAB in refused.json()["detail"]
        assert (await mint([], {})).status_code == 201
        foreign = await mint(["/lab"], {"prefix": "21.T1"})
        assert (foreign.status_code, foreign.json()["errors"][0]["code"]) == (422, "foreign_prefix")


class TestTombstones:
    async def test_what_it_says(self, pid):
        made, better = await pid.mint(target=TARGET), await pid.mint(target=TARGET + "/new")
        url = f"/api/identifiers/{made['handle']}"
        params = {"reason": "lost", "citation": "Ana (2026): Water", "replacement": better["ark"]}
        headers = {**pid.auth("pid:mint"), "if-match": "*"}
        gone = (await pid.http.delete(url, params=params, headers=headers)).json()
        assert gone["tombstone"] == {
            "reason": "lost",
            "citation": "Ana (2026): Water",
            "replacement": better["handle"],
            "at": "2026-01-01T00:00:00Z",
        }

    @pytest.mark.parametrize(
        "replacement", ["21.T99999/none", "itself", "javascript:alert(1)", "http://u:p@x.org/"]
    )
    async def test_replacements_that_cannot_be(self, pid, replacement):
        made = await pid.mint(target=TARGET)
        named = made["handle"] if replacement == "itself" else replacement
        answer = await pid.http.delete(
            f"/api/identifiers/{made['handle']}",
            params={"reason": "lost", "replacement": named},
            headers={**pid.auth("pid:mint"), "if-match": "*"},
        )
        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json()["errors"]] == ["/replacement"]


class TestHistory:
    async def test_every_change_is_in_it_and_tampering_is_seen(self, pid):
        made = await pid.mint(metadata={"a": 1.5})
        url = f"/api/identifiers/{made['handle']}"
        headers = {**pid.auth("pid:mint"), "if-match": "*"}
        await pid.http.patch(url, json={"target": TARGET}, headers=headers)
        await pid.http.delete(url, params={"reason": "lost"}, headers=headers)
        told = (await pid.http.get(f"{url}/history")).json()
        assert [one["change"] for one in told["entries"]] == ["minted", "updated", "tombstoned"]
        assert told["broken"] is None
        assert told["head"] == told["entries"][-1]["hash"]
        assert all(one["actor"] is None for one in told["entries"])
        seen = (await pid.http.get(f"{url}/history", headers=pid.auth("operator"))).json()
        assert {one["actor"]["sub"] for one in seen["entries"]} == {"ana"}
        for statement in (
            "UPDATE identifiers SET target = 'https://evil.test/'",
            "UPDATE identifier_history SET content = replace(content, 'data.example', 'evil.example') WHERE version = 2",
            "DELETE FROM identifier_history WHERE version = 2",
        ):
            async with pid.runtime.database.engine.begin() as conn:
                await conn.execute(sa.text(statement))
            assert (await pid.http.get(f"{url}/history")).json()["broken"]

    async def test_of_a_reserved_one_only_its_owner_hears(self, pid):
        made = await pid.mint()
        url = f"/api/identifiers/{made['handle']}/history"
        assert (await pid.http.get(url)).status_code == 404
        assert (await pid.http.get(url, headers=pid.auth())).status_code == 200
