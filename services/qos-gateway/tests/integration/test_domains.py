"""Domains: to whom objects belong, and who may give to them."""

import asyncio
import json
from datetime import timedelta

import pytest
from indigo_qos_gateway.adapters.db.domains import SqlDomains

STRICT = {"x-cdmi-specification-version": "1.1.1"}
MEMBERS = "/cdmi_domains/bio/cdmi_domain_members"


async def put(qos, path, body, *, who=None, kind=None):
    kind = kind or ("domain" if path.endswith("/") else "object")
    headers = (who or qos.auth("operator")) | STRICT | {"content-type": f"application/cdmi-{kind}"}
    return await qos.http.put(path, content=json.dumps(body), headers=headers)


async def get(qos, path):
    answer = await qos.http.get(path, headers=STRICT)
    assert answer.status_code == 200, answer.text
    return answer.json()


def member(group):
    return {"metadata": {"cdmi_member_type": "group", "cdmi_member_name": group}}


def of(qos, *groups):
    token = qos.issuer.token("ben", ["qos:change"], groups=groups)
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
async def bio(qos):
    assert (await put(qos, "/cdmi_domains/bio/", {"metadata": {"about": "birds"}})).status_code == 201
    assert (await put(qos, f"{MEMBERS}/staff", member("/bio"))).status_code == 201


async def test_the_root_domain_has_what_nobody_gave_away(qos):
    root = await get(qos, "/cdmi_domains/")
    assert root["children"] == ["cdmi_domain_summary/", "cdmi_domain_members/"]
    assert root["domainURI"] == "/cdmi_domains/"
    await qos.store("/f", b"x")
    assert (await get(qos, "/f"))["domainURI"] == "/cdmi_domains/"
    assert (await get(qos, f"/cdmi_objectid/{root['objectID']}")) == root


async def test_members_are_groups_and_issuers_are_delegations(qos, bio):
    domain = await get(qos, "/cdmi_domains/bio/")
    assert (domain["parentURI"], domain["metadata"]["about"]) == ("/cdmi_domains/", "birds")
    assert domain["metadata"]["cdmi_domain_enabled"] == "true"
    assert (await get(qos, f"/cdmi_objectid/{domain['objectID']}")) == domain
    assert (await get(qos, f"{MEMBERS}/"))["children"] == ["staff"]
    assert (await get(qos, f"{MEMBERS}/staff"))["metadata"]["cdmi_member_name"] == "/bio"
    assert (await put(qos, f"{MEMBERS}/staff", member("/other"))).status_code == 204
    assert (await qos.http.delete(f"{MEMBERS}/staff", headers=qos.auth("operator"))).status_code == 204
    assert (await qos.http.get(f"{MEMBERS}/staff")).status_code == 404
    assert (await get(qos, "/cdmi_capabilities/domain/"))["capabilities"]["cdmi_create_domain"] == "true"


async def test_issuers_are_shown(start_qos):
    async with start_qos(trusted_issuers=["https://iam.example.org"]) as qos:
        found = await get(qos, "/cdmi_domains/cdmi_domain_members/issuer-1")
        assert found["metadata"]["cdmi_delegation_URI"] == "https://iam.example.org"
        answer = await put(qos, "/cdmi_domains/cdmi_domain_members/issuer-1", member("/x"))
        assert answer.status_code == 400


async def test_members_give_to_a_domain_and_the_rest_follows(qos, bio):
    body = {"domainURI": "/cdmi_domains/bio/"}
    made = await put(qos, "/nest/", body, who=of(qos, "/bio"), kind="container")
    assert made.status_code == 201
    assert made.json()["domainURI"] == "/cdmi_domains/bio/"
    await qos.store("/nest/in/egg", b"x")
    assert (await get(qos, "/nest/in/egg"))["domainURI"] == "/cdmi_domains/bio/", "that of the container"
    assert (await put(qos, "/nest/q", {}, who=qos.auth(), kind="queue")).json()[
        "domainURI"
    ] == "/cdmi_domains/bio/"
    for who, status in ((of(qos, "/else"), 403), (of(qos), 403), (qos.auth("operator", "qos:change"), 204)):
        await qos.store("/f", b"x")
        assert (await put(qos, "/f", body, who=who)).status_code == status
    assert (await get(qos, "/f"))["domainURI"] == "/cdmi_domains/bio/"
    moved = await put(qos, "/tree/", {"move": "/nest/"}, who=qos.auth(), kind="container")
    assert moved.status_code == 201
    assert (await get(qos, "/tree/in/egg"))["domainURI"] == "/cdmi_domains/bio/", "a move changes no owner"
    qos.clock.advance(timedelta(hours=3))
    value = json.loads((await get(qos, "/cdmi_domains/bio/cdmi_domain_summary/cumulative"))["value"])
    assert value["cdmi_summary_objecthours"] == "6.000"
    assert value["cdmi_domainURI"] == "/cdmi_domains/bio/"
    counts = [value[f"indigo_summary_{each}"] for each in ("objects", "containers", "queues")]
    assert counts == ["2", "2", "1"]


async def test_members_of_a_domain_give_to_those_in_it(qos, bio):
    assert (await put(qos, "/cdmi_domains/bio/owls/", {})).status_code == 201
    assert "owls/" in (await get(qos, "/cdmi_domains/bio/"))["children"]
    body = {"domainURI": "/cdmi_domains/bio/owls/", "value": "x"}
    assert (await put(qos, "/f", body, who=of(qos, "/bio"))).status_code == 201


async def test_a_domain_with_objects_has_an_heir(qos, bio):
    who = qos.auth("operator", "qos:change")
    assert (await put(qos, "/f", {"domainURI": "/cdmi_domains/bio/"}, who=who)).status_code == 201
    operator = qos.auth("operator")
    assert (await qos.http.delete("/cdmi_domains/bio/", headers=operator)).status_code == 409
    heir = {"metadata": {"cdmi_domain_delete_reassign": "/cdmi_domains/none/"}}
    assert (await put(qos, "/cdmi_domains/bio/", heir)).status_code == 204
    assert (await qos.http.delete("/cdmi_domains/bio/", headers=operator)).status_code == 409
    heir = {"metadata": {"cdmi_domain_delete_reassign": "/cdmi_domains/"}}
    assert (await put(qos, "/cdmi_domains/bio/", heir)).status_code == 204
    await put(qos, "/cdmi_domains/bio/owls/", {})
    assert (await qos.http.delete("/cdmi_domains/bio/", headers=operator)).status_code == 409
    await qos.http.delete("/cdmi_domains/bio/owls/", headers=operator)
    assert (await qos.http.delete("/cdmi_domains/bio/", headers=operator)).status_code == 204
    assert (await get(qos, "/f"))["domainURI"] == "/cdmi_domains/"
    assert (await qos.http.get("/cdmi_domains/bio/")).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/cdmi_domains/bio", {}, 400),
        ("/cdmi_domains/none/deep/", {}, 404),
        ("/cdmi_domains/cdmi_own/", {}, 400),
        ("/cdmi_domains/a%2Fb/", {}, 400),
        ("/cdmi_domains/../b/", {}, 400),
        ("/cdmi_domains/a%0Ab/", {}, 400),
        ("/cdmi_domains/a%00/", {}, 400),
        ("/cdmi_domains/new/", {"metadata": {"cdmi_domain_enabled": "false"}}, 400),
        ("/cdmi_domains/new/", {"metadata": {"cdmi_domain_delete_reassign": "/elsewhere/"}}, 400),
        ("/cdmi_domains/new/", {"metadata": []}, 400),
        (f"{MEMBERS}/ana", {"metadata": {"cdmi_member_type": "user", "cdmi_member_name": "ana"}}, 400),
        (f"{MEMBERS}/x", {"metadata": {"cdmi_member_type": "group", "cdmi_member_name": 7}}, 400),
        (f"{MEMBERS}/x/y", member("/g"), 400),
        ("/cdmi_domains/none/cdmi_domain_members/x", member("/g"), 404),
        ("/cdmi_domains/cdmi_domain_members/x", member("/g"), 400),
        ("/cdmi_domains/bio/cdmi_domain_summary/x", {}, 400),
    ],
)
async def test_domains_that_cannot_be(qos, bio, path, body, status):
    kind = "domain" if path == "/cdmi_domains/bio" else None
    answer = await put(qos, path, body, kind=kind)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]


@pytest.mark.parametrize("uri", ["/elsewhere/", "bio", "/cdmi_domains/none/", "/cdmi_domains/../x", "http://x/"])
async def test_domains_no_object_belongs_to(qos, uri):
    answer = await put(qos, "/f", {"domainURI": uri, "value": "x"}, who=qos.auth("operator", "qos:change"))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/domainURI"
    assert (await qos.http.get("/f")).status_code == 404


async def test_only_operators_change_domains(qos, bio):
    for who in (qos.auth(), qos.auth("storage.modify:/")):
        assert (await put(qos, "/cdmi_domains/new/", {}, who=who)).status_code == 403
        assert (await put(qos, f"{MEMBERS}/x", member("/g"), who=who)).status_code == 403
        assert (await qos.http.delete("/cdmi_domains/bio/", headers=who | STRICT)).status_code == 403
    assert (await qos.http.delete("/cdmi_domains/bio/", headers=STRICT)).status_code == 401


async def test_both_of_two_new_members_are_kept(qos, bio, monkeypatch):
    held, go_on, real = asyncio.Event(), asyncio.Event(), SqlDomains.save

    async def save(self, changed):
        if "one" in changed.members:
            held.set()
            await go_on.wait()
        await real(self, changed)

    monkeypatch.setattr(SqlDomains, "save", save)
    one = asyncio.create_task(put(qos, f"{MEMBERS}/one", member("/one")))
    await held.wait()
    two = asyncio.create_task(put(qos, f"{MEMBERS}/two", member("/two")))
    while not (two.done() or await qos.rows("SELECT pid FROM pg_locks WHERE NOT granted")):
        await asyncio.sleep(0.01)
    go_on.set()
    assert [(await each).status_code for each in (one, two)] == [201, 201]
    assert sorted((await get(qos, f"{MEMBERS}/"))["children"]) == ["one", "staff", "two"]


async def test_a_move_gives_to_a_domain_and_what_is_inside_stays_in_its_own(qos, bio):
    await put(qos, "/box/", {}, who=qos.auth(), kind="container")
    await qos.store("/box/f", b"x")
    body = {"move": "/box/", "domainURI": "/cdmi_domains/bio/"}
    assert (await put(qos, "/nest/", body, who=of(qos, "/bio"), kind="container")).status_code == 201
    assert (await get(qos, "/nest/"))["domainURI"] == "/cdmi_domains/bio/"
    assert (await get(qos, "/nest/f"))["domainURI"] == "/cdmi_domains/"
    assert (await put(qos, "/f", {"move": "/nest/f"}, who=of(qos))).status_code == 201
    assert (await get(qos, "/f"))["domainURI"] == "/cdmi_domains/"


async def test_some_metadata_of_a_domain_are_changed(qos, bio):
    async def patch(path, metadata, *, scope="operator", version="2.0"):
        headers = {"content-type": "application/cdmi-domain", "x-cdmi-specification-version": version}
        body = json.dumps({"metadata": metadata})
        return (await qos.http.patch(path, content=body, headers=qos.auth(scope) | headers)).status_code

    assert await patch("/cdmi_domains/bio/", {"color": "blue"}) == 204
    shown = (await get(qos, "/cdmi_domains/bio/"))["metadata"]
    assert (shown["about"], shown["color"]) == ("birds", "blue")
    assert await patch("/cdmi_domains/bio/", {"about": None}) == 204
    shown = (await get(qos, "/cdmi_domains/bio/"))["metadata"]
    assert "about" not in shown
    assert shown["color"] == "blue"
    assert await patch("/cdmi_domains/none/", {"color": "red"}) == 404
    assert await patch("/cdmi_domains/bio/", {"color": "red"}, scope="qos:change") == 403
    assert await patch("/cdmi_domains/bio/", {"color": "red"}, version="1.1.1") == 400
    assert await patch(f"{MEMBERS}/staff", member("/other")["metadata"]) == 400
    assert (await get(qos, "/cdmi_domains/bio/"))["metadata"]["color"] == "blue"
