"""Writing through the Handle face, beyond what its usual client does."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from indigo_contracts.repository import RecordPublished, RecordReserved, RecordState

URL = "https://data.example.org/42"
NAME = "21.T99999/mine"
LOCATIONS = (
    '<locations chooseby="locatt,country,weighted">'
    '<location id="0" href="https://a.example.org/" country="gb" weight="0"/>'
    '<location id="1" href="https://b.example.org/" weight="1"/></locations>'
)


def value(index=1, type_="URL", data=URL, **more):
    return {"index": index, "type": type_, "data": data, **more}


async def put(pid, values, handle=NAME, query="", **auth):
    return await pid.http.put(f"/api/handles/{handle}{query}", json=values, headers=pid.auth("pid:mint", **auth))


async def told(pid, handle=NAME):
    return (await pid.http.get(f"/api/handles/{handle}")).json()


async def test_creating_replacing_and_the_codes(pid):
    made = await put(pid, {"values": [value()]}, query="?overwrite=false")
    assert (made.status_code, made.json()) == (201, {"responseCode": 1, "handle": NAME})
    assert (await pid.http.get("/21.t99999/MINE")).headers["location"] == URL
    again = await put(pid, [value()], query="?overwrite=false")
    assert (again.status_code, again.json()["responseCode"]) == (409, 101)
    replaced = await put(pid, value(data={"format": "string", "value": URL + "/new"}))
    assert replaced.status_code == 200
    assert (await pid.http.get(f"/{NAME}")).headers["location"] == URL + "/new"
    facts = [one["fact"] for one in await pid.facts()]
    assert facts == ["pid.identifier.minted.v1", "pid.identifier.updated.v1"]
    history = await pid.http.get(f"/api/identifiers/{NAME}/history")
    assert history.json()["broken"] is None


async def test_values_by_index(pid):
    await put(pid, [value(), value(2, "A", "x"), value(3, "B", 7)])
    exists = await put(pid, [value(2, "A", "y")], query="?index=2&overwrite=false")
    assert (exists.status_code, exists.json()["responseCode"]) == (409, 201)
    assert (await put(pid, [value(2, "A", "y")], query="?index=2")).status_code == 200
    assert (await put(pid, [value(9, "C", "z"), value(3, "B", "8")], query="?index=various")).status_code == 200
    assert (await put(pid, [value(10, "D", "z")], query="?index=various&overwrite=false")).status_code == 201
    strange = await put(pid, [value(4, "A", "y")], query="?index=2")
    assert (strange.status_code, strange.json()["responseCode"]) == (400, 202)
    values = {one["index"]: one["data"]["value"] for one in (await told(pid))["values"]}
    assert values == {1: URL, 2: "y", 3: "8", 9: "z", 10: "z"}
    gone = await pid.http.delete(f"/api/handles/{NAME}?index=2&index=1", headers=pid.auth("pid:mint"))
    assert gone.status_code == 200
    assert [one["index"] for one in (await told(pid))["values"]] == [3, 9, 10]
    none = await pid.http.delete(f"/api/handles/{NAME}?index=2", headers=pid.auth("pid:mint"))
    assert (none.status_code, none.json()["responseCode"]) == (400, 200)
    leads_nowhere = await pid.http.get(f"/{NAME}")
    assert (leads_nowhere.status_code, leads_nowhere.json()["handle"]) == (200, NAME)


@pytest.mark.parametrize(
    ("written", "urls"),
    [
        ([value(), value(2, "A", "x"), value(5, "url", URL + "/other")], {1: URL + "/new", 5: URL + "/other"}),
        ([value(1, "A", "x"), value(3, "B", "y")], {2: URL + "/new"}),
    ],
)
async def test_both_faces_lead_to_the_same_place(pid, written, urls):
    await put(pid, written)
    there = f"/api/identifiers/{NAME}"
    tag = (await pid.http.get(there, headers=pid.auth("pid:mint"))).headers["etag"]
    headers = pid.auth("pid:mint") | {"if-match": tag, "content-type": "application/merge-patch+json"}
    changed = await pid.http.patch(there, json={"target": URL + "/new"}, headers=headers)
    assert changed.status_code == 200, changed.text
    assert (await pid.http.get(f"/{NAME}")).headers["location"] == URL + "/new"
    values = (await told(pid))["values"]
    assert {one["index"]: one["data"]["value"] for one in values if one["type"].upper() == "URL"} == urls
    assert {one["type"] for one in values if one["type"].upper() != "URL"} == {
        one["type"] for one in written if one["type"].upper() != "URL"
    }
    assert (await pid.http.get(f"{there}/history")).json()["broken"] is None


async def test_an_identifier_minted_elsewhere_is_written_with_what_it_said(pid):
    made = await pid.mint(target=URL)
    assert (await put(pid, [value(7, "CHECKSUM", "c")], made["handle"], "?index=7")).status_code == 201
    types = [one["type"] for one in (await told(pid, made["handle"]))["values"]]
    assert types == ["URL", "ARK", "CHECKSUM", "HS_ADMIN"]
    assert (await pid.http.get(f"/{made['ark']}")).headers["location"] == URL


async def test_a_random_suffix(pid):
    for begun in ("21.T99999/", "21.T99999/lab-"):
        made = await put(pid, [value()], begun, "?mintNewSuffix=true")
        assert made.status_code == 201
        handle = made.json()["handle"]
        assert handle.startswith(begun)
        assert len(handle) == len(begun) + 11
        assert (await told(pid, handle))["responseCode"] == 1


@pytest.mark.parametrize(
    ("handle", "values", "code"),
    [
        (NAME, [], 202),
        (NAME, "x", 202),
        (NAME, [1], 202),
        (NAME, [value(0)], 202),
        (NAME, [value("x")], 202),
        (NAME, [value(2**31)], 202),
        (NAME, [value(type_="")], 202),
        (NAME, [value(), value()], 202),
        (NAME, [value(data=None)], 202),
        (NAME, [value(data={"format": "x", "value": "y"})], 202),
        (NAME, [value(data="javascript:alert(1)")], 202),
        (NAME, [value(ttl=-1)], 202),
        (NAME, [value(300, "HS_SECKEY", "secret")], 202),
        (NAME, [value(100, "HS_ADMIN", {"format": "admin", "value": {"handle": "x", "permissions": "2"}})], 202),
        (NAME, [value(1000, "10320/LOC", "<locations>")], 202),
        (NAME, [value(1000, "10320/LOC", "<!DOCTYPE x []><locations/>")], 202),
        (NAME, [value(1000, "10320/LOC", '<locations><location href="ftp://x"/></locations>')], 202),
        (NAME, [value(2, "A", "x" * 70_000)], 202),
        ("21.T1/x", [value()], 301),
        ("10.5072/x", [value()], 301),
        ("nothing", [value()], 102),
        ("21.T99999/a%20b", [value()], 202),
    ],
)
async def test_what_is_refused(pid, handle, values, code):
    answer = await put(pid, values, handle)
    assert (answer.status_code, answer.json()["responseCode"]) == (400, code), answer.text
    assert await pid.facts() == []


async def test_whose_it_is(pid, record):
    await put(pid, [value()])
    for answer, status, code in (
        (await pid.http.put(f"/api/handles/{NAME}", json=[value()]), 401, 402),
        (await put(pid, [value()], who="eve"), 403, 401),
        (await pid.http.delete(f"/api/handles/{NAME}", headers=pid.auth("dmp:write")), 403, 401),
        (await put(pid, [value(2)], "21.T99999/other", "?index=2"), 404, 100),
    ):
        assert (answer.status_code, answer.json()["responseCode"]) == (status, code)
    await pid.deliver(RecordPublished(record=record(state=RecordState.PUBLISHED)))
    handle = (await pid.identifier_of("r1"))["handle"]
    answer = await pid.http.put(f"/api/handles/{handle}", json=[value()], headers=pid.auth("pid:mint", "operator"))
    assert (answer.status_code, answer.json()["responseCode"]) == (403, 401)
    assert "r1" in answer.json()["message"]


async def test_a_deleted_name_is_never_given_again(pid):
    await put(pid, [value()])
    assert (await pid.http.delete(f"/api/handles/{NAME}", headers=pid.auth("pid:mint"))).status_code == 200
    answer = await put(pid, [value()], who="eve")
    assert answer.status_code == 403
    answer = await put(pid, [value()])
    assert (answer.status_code, answer.json()["responseCode"]) == (409, 101)
    assert "never given twice" in answer.json()["message"]
    assert (await pid.http.get(f"/{NAME}")).status_code == 410


async def test_basic_credentials(pid):
    expires = (pid.clock.now() + timedelta(days=1)).isoformat()
    made = await pid.http.post(
        "/api-keys", json={"scopes": ["pid:mint"], "expires_at": expires}, headers=pid.auth("pid:mint")
    )
    key = made.json()["key"]

    async def write(header):
        return await pid.http.put(f"/api/handles/{NAME}", json=[value()], headers={"authorization": header})

    for user in ("300%3A21.T99999/USER", "300%3A21.T99999%2FUSER", "300:21.T99999/USER", "anything"):
        header = "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()
        assert (await write(header)).status_code in {200, 201}, user
    for header in ("Basic", "Basic !!", "Basic /w==", "Basic " + base64.b64encode(b"300:x/y:no").decode()):
        answer = await write(header)
        assert (answer.status_code, answer.json()["responseCode"]) == (401, 402)
        assert answer.headers["www-authenticate"].startswith("Basic")


async def test_listing(pid, record):
    await pid.deliver(RecordReserved(record=record()))
    for name in ("b", "a", "C"):
        await put(pid, [value()], f"21.T99999/{name}")
    first = (await pid.http.get("/api/handles?prefix=21.t99999&page=0&pageSize=2")).json()
    assert first == {
        "responseCode": 1,
        "prefix": "21.t99999",
        "totalCount": 3,
        "page": 0,
        "pageSize": 2,
        "handles": ["21.T99999/a", "21.T99999/b"],
    }
    assert (await pid.http.get("/api/handles?prefix=21.T99999&page=1&pageSize=2")).json()["handles"] == [
        "21.T99999/C"
    ]
    count = (await pid.http.get("/api/handles?prefix=21.T99999&pageSize=0")).json()
    assert (count["totalCount"], count["handles"]) == (3, [])
    foreign = await pid.http.get("/api/handles?prefix=21.T1")
    assert (foreign.status_code, foreign.json()["responseCode"]) == (400, 301)


async def test_the_reverse_lookup_needs_credentials_and_terms(pid):
    assert (await pid.http.get("/hrls/handles?URL=*")).status_code == 401
    assert (await pid.http.get("/hrls/handles", headers=pid.auth())).status_code == 400
    made = await pid.mint(target=URL)
    found = await pid.http.get(f"/hrls/handles?ARK={made['ark']}", headers=pid.auth())
    assert found.json() == [made["handle"]]


async def test_one_of_several_places(pid):
    values = [value(1, "URL", "https://main.example.org/"), value(1000, "10320/LOC", LOCATIONS)]
    await put(pid, values)
    await pid.http.get("/livez")
    for query, place in (
        ("", "https://b.example.org/"),
        ("?locatt=country:gb", "https://a.example.org/"),
        ("?locatt=id:1", "https://b.example.org/"),
        ("?locatt=id:7", "https://b.example.org/"),
        ("?locatt=nonsense", "https://b.example.org/"),
    ):
        assert (await pid.http.get(f"/{NAME}{query}")).headers["location"] == place, query


class TestArks:
    async def test_what_lies_below(self, pid):
        made = await pid.mint(target="https://data.example.org/42")
        suffix = made["ark"].rpartition("/")[2]
        hyphened = f"ark:99999/{suffix[:3]}-{suffix[3:]}"
        for name, place in (
            (made["ark"] + "/page-3.tiff", "https://data.example.org/42/page-3.tiff"),
            (hyphened + "/a-b", "https://data.example.org/42/a-b"),
            (made["ark"] + ".v2", "https://data.example.org/42.v2"),
            (made["ark"] + "/a b/<c>", "https://data.example.org/42/a%20b/%3Cc%3E"),
        ):
            answer = await pid.http.get(f"/{name}")
            assert (answer.status_code, answer.headers.get("location")) == (302, place), name
        for name in (made["handle"] + "/page3", made["ark"] + "/a/%2e%2e/b", made["ark"] + "x/y"):
            assert (await pid.http.get(f"/{name}")).status_code == 404, name

    @pytest.mark.parametrize(
        "target", ["https://data.example.org", "https://data.example.org/?a=b", "https://x.org/#f"]
    )
    async def test_nobody_is_led_elsewhere(self, pid, target):
        made = await pid.mint(target=target)
        assert (await pid.http.get(f"/{made['ark']}.evil.test")).status_code == 404
        assert (await pid.http.get(f"/{made['ark']}.evil.test/x")).status_code == 404

    async def test_the_kernel_record(self, pid, record):
        await pid.deliver(RecordPublished(record=record(state=RecordState.PUBLISHED)))
        names = await pid.identifier_of("r1")
        for query in ("?info", "??"):
            shown = await pid.http.get(f"/{names['ark']}{query}")
            assert shown.status_code == 200
            assert shown.headers["content-type"] == "text/plain; charset=utf-8"
            assert shown.headers["thump-status"] == "0.6 200 OK"
            assert shown.text.splitlines()[:5] == [
                "erc:",
                "who: Carberry, Josiah",
                "what: Water quality of the reservoir",
                "when: 20260101",
                f"where: {names['ark']}",
            ]
        as_json = await pid.http.get(f"/{names['ark']}?info", headers={"accept": "application/json"})
        assert as_json.headers["content-type"].startswith("application/")


async def test_typed_records_are_shown_and_checked(pid):
    profile, location = "21.T11148/076759916209e5d62bd5", "21.T11148/b8457812905b83046284"
    written = [value(), value(2, profile, "21.T11148/301c6f04763a16f0f72a"), value(3, location, URL)]
    assert (await put(pid, written)).status_code == 201
    shown = (await pid.http.get(f"/{NAME}?info", headers={"accept": "application/json"})).json()
    assert {"type": location, "name": "digitalObjectLocation", "value": URL} in shown["kernel_information"]
    assert shown["missing"] == ["digitalObjectType", "digitalObjectPolicy", "etag", "dateCreated"]
    page = await pid.http.get(f"/{NAME}?info", headers={"accept": "text/html"})
    assert "digitalObjectLocation" in page.text
    refused = await put(pid, [value(3, location, "here")], query="?index=3")
    assert (refused.status_code, refused.json()["responseCode"]) == (400, 202)


def passing(delimiter, data="${data}/${extension}", attributes=""):
    return (
        f'<namespace><template delimiter="{delimiter}"{attributes}><foreach>'
        '<if value="type" test="equals" expression="URL">'
        f'<value data="{data}"/></if></foreach></template></namespace>'
    )


class TestTemplates:
    async def test_suffixes_are_passed_on_by_a_template_of_the_handle(self, pid):
        assert (await put(pid, [value(), value(9, "HS_NAMESPACE", passing("/"))])).status_code == 201
        for name, place in (
            (f"{NAME}/page/3.tiff", f"{URL}/page/3.tiff"),
            (f"{NAME.upper()}/A%20b%3Cc%3E", f"{URL}/A%20b%3Cc%3E"),
        ):
            answer = await pid.http.get(f"/{name}")
            assert (answer.status_code, answer.headers.get("location")) == (302, place), name
        for name in (
            f"{NAME}/%2e%2e/x",
            f"{NAME}/x%0d%0aset-cookie:a=b",
            f"{NAME}@x",
            f"{NAME}x/y",
            NAME[:-1] + "/y",
        ):
            assert (await pid.http.get(f"/{name}")).status_code == 404, name
        told_of = await told(pid, f"{NAME}/page")
        assert [(one["type"], one["data"]["value"]) for one in told_of["values"]] == [("URL", f"{URL}/page")]
        shown = await pid.http.get(f"/{NAME}/page?noredirect")
        assert shown.headers["location"].endswith(f"/api/handles/{NAME}/page")
        assert (await pid.http.get(shown.headers["location"])).json() == told_of

    async def test_a_template_of_the_prefix_is_for_operators_to_write(self, pid):
        template = [value(9, "HS_NAMESPACE", passing("@", "${data}?part=${extension}"))]
        registry = "0.NA/21.T99999"
        assert (await put(pid, template, registry)).status_code == 403
        headers = pid.auth("pid:mint", "operator")
        for name, status in ((registry, 201), ("0.NA/21.T1", 400)):
            answer = await pid.http.put(f"/api/handles/{name}", json=template, headers=headers)
            assert answer.status_code == status, answer.text
        made = await pid.mint(target=URL)
        answer = await pid.http.get(f"/{made['handle']}@7")
        assert (answer.status_code, answer.headers["location"]) == (302, f"{URL}?part=7")
        assert (await pid.http.get("/21.T99999/none@7")).status_code == 404
        headers = {**pid.auth("pid:mint"), "if-match": "*"}
        await pid.http.delete(f"/api/identifiers/{made['handle']}", params={"reason": "lost"}, headers=headers)
        assert (await pid.http.get(f"/{made['handle']}@7")).status_code == 404

    async def test_a_template_of_another_handle(self, pid):
        await put(pid, [value(1, "HS_NAMESPACE", passing("!"))], "21.T99999/templates")
        refers = '<namespace><template delimiter="@" ref="21.T99999/templates"/></namespace>'
        await put(pid, [value(), value(9, "HS_NAMESPACE", refers)])
        assert (await pid.http.get(f"/{NAME}@x")).headers["location"] == f"{URL}/x"
        loops = refers.replace("templates", "mine")
        await put(pid, [value(), value(9, "HS_NAMESPACE", loops)])
        assert (await pid.http.get(f"/{NAME}@x")).status_code == 404

    async def test_hosts_are_limited_for_templates_too(self, start_pid):
        async with start_pid(target_hosts=["data.example.org"]) as pid:
            away = passing("@", "https://evil.test/${extension}")
            assert (await put(pid, [value(), value(9, "HS_NAMESPACE", away)])).status_code == 201
            assert (await pid.http.get(f"/{NAME}@x")).status_code == 404

    @pytest.mark.parametrize("xml", ["<namespace>", "<!DOCTYPE x []><namespace/>", passing("a")])
    async def test_bad_templates_are_refused_when_they_are_written(self, pid, xml):
        answer = await put(pid, [value(9, "HS_NAMESPACE", xml)])
        assert (answer.status_code, answer.json()["responseCode"]) == (400, 202)


class TestProbing:
    async def test_the_site(self, pid):
        site = (await pid.http.get("/api/site")).json()
        (server,) = site["servers"]
        assert server["address"] == "127.0.0.1"
        assert server["interfaces"] == [
            {"query": True, "admin": True, "protocol": "HTTP", "port": pid.http.base_url.port}
        ]
        assert (site["version"], site["primarySite"]) == (1, True)

    async def test_sessions_say_what_credentials_are_worth(self, pid):
        begun = await pid.http.post("/api/sessions")
        assert (begun.status_code, begun.json()["authenticated"]) == (201, False)
        assert len(base64.b64decode(begun.json()["nonce"])) == 16
        for method in ("GET", "PUT"):
            mine = await pid.http.request(method, "/api/sessions/this", headers=pid.auth("pid:mint"))
            assert (mine.json()["authenticated"], mine.json()["id"]) == (True, "ana")
        refused = await pid.http.put("/api/sessions/this")
        assert (refused.status_code, refused.json()["responseCode"]) == (401, 402)
        assert (await pid.http.delete("/api/sessions/this")).status_code == 204

    async def test_the_proof_of_a_key_is_refused_with_the_way_to_do_it(self, pid):
        proof = 'Handle version="0", sessionId="x", cnonce="y", id="300:0.NA/21.T99999", type="HS_SECKEY"'
        answer = await pid.http.put("/api/sessions/this", headers={"authorization": proof})
        assert (answer.status_code, answer.json()["responseCode"]) == (401, 402)
        assert "API key" in answer.json()["message"]
        wrong = "Basic " + base64.b64encode(b"300:x/y:no").decode()
        answer = await pid.http.post("/api/sessions", headers={"authorization": wrong})
        assert (answer.status_code, answer.json()["responseCode"]) == (401, 402)
