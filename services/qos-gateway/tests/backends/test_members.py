"""A mount that belongs to a group: nobody else learns what is in it, by any road."""

import json

import httpx
import pytest

FILE = """
[[mount]]
prefix = "/closed"
name = "closed"
type = "gpfs"
directory = "{files}"
file_system = "fs1"
programs = "{programs}"
landing_class = "Fast"
classes.Fast = {{ pool = "system" }}
classes.Large = {{ pool = "capacity" }}
members = {{ issuer = "https://issuer.example.org", groups = ["/lifewatch"] }}
"""
CDMI = {"content-type": "application/cdmi-object"}


@pytest.fixture
def programs(make_programs):
    return make_programs("gpfs.py", ("mmlsattr", "mmchattr", "mmlspool"))


@pytest.fixture
def mounts_file(programs, tmp_path):
    path = tmp_path / "mounts.toml"
    path.write_text(FILE.format(files=programs.files, programs=programs.directory))
    return path


def as_member(qos, *scopes, who="ada", groups=("/lifewatch",)):
    return {"authorization": f"Bearer {qos.issuer.token(who, scopes, groups)}", "idempotency-key": "k"}


async def test_a_member_acts_by_membership_or_by_the_capabilities_of_the_token(start_qos, mounts_file):
    async with start_qos(mounts_file=mounts_file) as qos:
        put = await qos.http.put("/closed/a", content=b"1", headers=as_member(qos))
        assert put.status_code == 201, put.text
        body = json.dumps({"capabilitiesURI": "/cdmi_capabilities/dataobject/Large"})
        read_only = as_member(qos, "storage.read:/closed")
        assert (await qos.http.put("/closed/a", content=body, headers=read_only | CDMI)).status_code == 403
        assert (await qos.http.get("/closed/a", headers=read_only | {"accept": "*/*"})).status_code == 200
        assert (await qos.http.put("/closed/a", content=body, headers=as_member(qos) | CDMI)).status_code == 204
        await qos.work_off()
        found = (await qos.http.get("/closed/a", headers=as_member(qos))).json()
        assert found["capabilitiesURI"] == "/cdmi_capabilities/dataobject/Large"


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("nobody", 401),
        ("another group", 403),
        ("a subgroup of it", 403),
        ("every scope", 403),
        ("a service", 403),
        ("operator", 200),
    ],
)
async def test_what_is_in_it_is_shown_to_members_and_operators(start_qos, mounts_file, who, status):
    async with start_qos(mounts_file=mounts_file) as qos:
        await qos.http.put("/closed/a", content=b"1", headers=as_member(qos))
        body = {"path": "/closed/a", "target_class": "Large"}
        made = await qos.http.post("/api/transitions", json=body, headers=as_member(qos, "qos:change"))
        assert made.status_code == 202, made.text
        wish = {"targets": ["/closed/a"], "target_class": "Large"}
        bulk = await qos.http.post("/api/transitions/bulk", json=wish, headers=as_member(qos))
        assert bulk.status_code == 202, bulk.text
        object_id = (await qos.http.get("/closed/a", headers=as_member(qos))).json()["objectID"]
        headers = {
            "nobody": {},
            "another group": as_member(qos, who="eve", groups=["/atlas"]),
            "a subgroup of it": as_member(qos, who="eve", groups=["/lifewatch/interns"]),
            "every scope": as_member(
                qos, "qos:change", "storage.read:/", "storage.modify:/", who="eve", groups=[]
            ),
            "a service": as_member(qos, "service", who="service:pid", groups=[]),
            "operator": as_member(qos, "operator", who="eve", groups=[]),
        }[who]

        async def get(path: str) -> httpx.Response:
            return await qos.http.get(path, headers=headers)

        for path in (
            "/closed/a",
            "/closed/a?objectID",
            "/closed/",
            f"/cdmi_objectid/{object_id}",
            "/api/explain?path=/closed/a",
            f"/api/transitions/{made.json()['transition_id']}",
        ):
            assert (await get(path)).status_code == status, path
        # Its events tell of it too; of other mounts everyone with a token reads them.
        assert (await get("/events")).status_code == status
        listed = (await get("/api/transitions")).json()["items"]
        assert bool(listed) is (status == 200)
        batch = f"/api/transitions/bulk/{bulk.json()['id']}"
        assert {(await get(batch)).status_code, (await get(f"{batch}/targets")).status_code} == (
            {200} if status == 200 else {404}
        )
        if status != 200:
            # There or not makes no difference.
            assert (await get("/closed/never")).status_code == status
            copied = await qos.http.put("/mine", content=json.dumps({"copy": "/closed/a"}), headers=headers | CDMI)
            assert copied.status_code == status
            assert (await qos.http.delete("/closed/a", headers=headers)).status_code == status


@pytest.mark.parametrize("scope", ["operator", "service"])
async def test_who_is_no_member_changes_nothing_in_it_with_any_scope(start_qos, mounts_file, scope):
    async with start_qos(mounts_file=mounts_file) as qos:
        await qos.http.put("/closed/a", content=b"1", headers=as_member(qos))
        eve = as_member(qos, scope, "qos:change", "storage.modify:/", who="eve", groups=[])
        body = {"path": "/closed/a", "target_class": "Large"}
        asked = await qos.http.post("/api/transitions", json=body, headers=eve)
        assert asked.status_code == 403, asked.text
        made = await qos.http.post("/api/transitions", json=body, headers=as_member(qos, "qos:change"))
        assert made.status_code == 202, made.text
        cancel = f"/api/transitions/{made.json()['transition_id']}/cancel"
        assert (await qos.http.post(cancel, headers=eve)).status_code == 403
        wish = {"targets": ["/closed/a"], "target_class": "Large"}
        assert (await qos.http.post("/api/transitions/bulk", json=wish, headers=eve)).status_code == 403
        for method, content in (("PUT", b"2"), ("DELETE", None)):
            answer = await qos.http.request(method, "/closed/a", content=content, headers=eve)
            assert answer.status_code == 403, answer.text
        assert (await qos.http.post(cancel, headers=as_member(qos, "qos:change"))).status_code == 202


async def test_the_rest_of_the_tree_is_as_it_was(start_qos, mounts_file):
    async with start_qos(mounts_file=mounts_file) as qos:
        await qos.store("/open", b"1")
        await qos.bring("/open", "TapeOnly")
        assert (await qos.cdmi("/"))["children"] == ["closed", "open"]
        listed = (await qos.http.get("/api/transitions")).json()["items"]
        assert [each["path"] for each in listed] == ["/open"]


async def test_basic_credentials_count_only_where_the_operator_allows_them(start_qos):
    for allowed in (False, True):
        async with start_qos(basic_auth=allowed) as qos:
            until = qos.clock.now().replace(hour=23, minute=59).isoformat()
            wish = {"scopes": ["qos:change"], "expires_at": until}
            made = await qos.http.post("/api-keys", json=wish, headers=qos.auth())
            assert made.status_code == 201, made.text
            auth = httpx.BasicAuth("restadmin", made.json()["key"])
            put = await qos.http.put("/a", content=b"1", auth=auth, headers={"content-type": "text/plain"})
            assert put.status_code == (201 if allowed else 401)


QUEUES = {
    "told": {
        "cdmi_queue_type": "cdmi_notification_queue",
        "cdmi_notification_events": [],
        "cdmi_scope_specification": [],
        "cdmi_results_specification": "",
    },
    "found": {
        "cdmi_queue_type": "cdmi_query_queue",
        "cdmi_scope_specification": [],
        "cdmi_results_specification": {"parentURI": "", "objectName": ""},
    },
}


async def test_no_queue_tells_others_of_it(start_qos, mounts_file):
    async with start_qos(mounts_file=mounts_file) as qos:
        eve = as_member(qos, "qos:change", who="eve", groups=[])
        ada = as_member(qos, "qos:change")
        queue = {"content-type": "application/cdmi-queue"}
        for name in QUEUES:
            for who, headers in (("eve", eve), ("ada", ada)):
                body = json.dumps({"metadata": QUEUES[name]})
                made = await qos.http.put(f"/{who}-{name}", content=body, headers=headers | queue)
                assert made.status_code == 201, made.text
        await qos.http.put("/closed/secret", content=b"1", headers=ada)
        move = json.dumps({"move": "/closed/secret"})
        assert (await qos.http.put("/moved", content=move, headers=ada | CDMI)).status_code == 201
        await qos.http.put("/closed/other-secret", content=b"1", headers=ada)
        await qos.work_off()
        for name in QUEUES:
            seen = {}
            for who in ("eve", "ada"):
                answer = await qos.http.get(f"/{who}-{name}?values:1000", headers=ada)
                seen[who] = answer.text
            assert "closed" in seen["ada"], name
            assert "secret" in seen["ada"], name
            assert "secret" not in seen["eve"], name
        assert "moved" in (await qos.http.get("/eve-told?values:1000", headers=eve)).text


@pytest.mark.parametrize("name", QUEUES)
async def test_a_queue_tells_what_the_one_who_has_it_filled_may_see(start_qos, mounts_file, name):
    async with start_qos(mounts_file=mounts_file) as qos:
        eve = as_member(qos, "qos:change", who="eve", groups=[])
        ada = as_member(qos, "qos:change")
        queue = {"content-type": "application/cdmi-queue"}
        await qos.http.put("/closed/secret", content=b"1", headers=ada)

        async def turned(path: str, maker: dict[str, str], other: dict[str, str]) -> str:
            body = json.dumps({"metadata": {"cdmi_queue_type": None}})
            assert (await qos.http.put(path, content=body, headers=maker | queue)).status_code == 201
            for metadata in (QUEUES[name], QUEUES[name] | {"cdmi_queue_type": None}, QUEUES[name]):
                body = json.dumps({"metadata": metadata})
                put = await qos.http.put(path, content=body, headers=other | queue)
                assert put.status_code == 204, put.text
            await qos.work_off()
            await qos.http.put("/closed/other-secret", content=b"1", headers=ada)
            await qos.work_off()
            return (await qos.http.get(f"{path}?values:1000", headers=ada)).text

        assert "secret" not in await turned("/of-ada", ada, eve)
        assert "secret" in await turned("/of-eve", eve, ada)


async def test_a_queue_that_was_serialized_or_copied_tells_what_its_new_maker_may_see(start_qos, mounts_file):
    async with start_qos(mounts_file=mounts_file) as qos:
        eve = as_member(qos, "qos:change", who="eve", groups=[])
        ada = as_member(qos, "qos:change")
        container = {"content-type": "application/cdmi-container"}
        queue = {"content-type": "application/cdmi-queue"}
        await qos.http.put("/box/", content="{}", headers=ada | container)
        for name, metadata in QUEUES.items():
            body = json.dumps({"metadata": metadata})
            await qos.http.put(f"/box/{name}", content=body, headers=ada | queue)
            serialize = json.dumps({"serialize": f"/box/{name}"})
            await qos.http.put(f"/{name}.json", content=serialize, headers=ada | CDMI)
        await qos.http.put("/all.json", content='{"serialize": "/box/"}', headers=ada | CDMI)
        for who, headers in (("eve", eve), ("ada", ada)):
            body = '{"deserialize": "/all.json"}'
            made = await qos.http.put(f"/{who}/", content=body, headers=headers | container)
            assert (made.status_code, made.json()["children"]) == (201, ["found", "told"])
            for name in QUEUES:
                body = json.dumps({"deserialize": f"/{name}.json"})
                made = await qos.http.put(f"/{who}-{name}", content=body, headers=headers | queue)
                assert made.status_code == 201, made.text
            made = await qos.http.put(f"/{who}-copy/", content='{"copy": "/box/"}', headers=headers | container)
            assert (made.status_code, made.json()["children"]) == (201, ["found", "told"])
        await qos.http.put("/closed/secret", content=b"1", headers=ada)
        await qos.work_off()
        for name in QUEUES:
            for path in [
                f"/{who}{each}" for who in ("eve", "ada") for each in (f"/{name}", f"-{name}", f"-copy/{name}")
            ]:
                seen = (await qos.http.get(f"{path}?values:1000", headers=ada)).text
                assert ("secret" in seen) is path.startswith("/ada"), path


async def test_queues_and_references_in_it_are_shown_to_members_only(start_qos, mounts_file):
    async with start_qos(mounts_file=mounts_file) as qos:
        ada = as_member(qos)
        made = await qos.http.put(
            "/closed/q", content="{}", headers=ada | {"content-type": "application/cdmi-queue"}
        )
        assert made.status_code == 201, made.text
        reference = json.dumps({"reference": "/closed/a"})
        assert (await qos.http.put("/closed/r", content=reference, headers=ada | CDMI)).status_code == 201
        eve = as_member(qos, "qos:change", "storage.read:/", who="eve", groups=[])
        for path in ("/closed/q", "/closed/r", f"/cdmi_objectid/{made.json()['objectID']}"):
            for method in ("GET", "PUT", "PATCH", "POST", "DELETE"):
                content = None if method in {"GET", "DELETE"} else "{}"
                answer = await qos.http.request(method, path, content=content, headers=eve | CDMI)
                assert answer.status_code == 403, (method, path, answer.text)
                assert "location" not in answer.headers
        assert (await qos.http.get("/closed/r", headers=ada)).status_code == 302


async def test_it_counts_in_no_summary_for_others(start_qos, mounts_file):
    async with start_qos(mounts_file=mounts_file) as qos:
        ada = as_member(qos, "qos:change")
        eve = as_member(qos, "qos:change", who="eve", groups=[])
        for path in ("/open", "/closed/a", "/closed/b"):
            await qos.http.put(path, content=b"1", headers=ada)
        queue = {"content-type": "application/cdmi-queue"}
        await qos.http.put("/closed/q", content="{}", headers=ada | queue)

        async def counted(headers: dict[str, str]) -> list[str]:
            path = "/cdmi_domains/cdmi_domain_summary/cumulative"
            value = json.loads((await qos.http.get(path, headers=headers)).json()["value"])
            return [value[f"indigo_summary_{each}"] for each in ("objects", "containers", "queues")]

        assert await counted(ada) == await counted(as_member(qos, "operator", who="eve", groups=[]))
        assert await counted(ada) == ["3", "2", "1"]
        assert await counted(eve) == await counted({}) == ["1", "1", "0"]


async def test_the_whole_tree_is_not_serialized_with_it(start_qos, mounts_file):
    async with start_qos(mounts_file=mounts_file) as qos:
        await qos.http.put("/closed/secret", content=b"1", headers=as_member(qos))
        eve = as_member(qos, "qos:change", "storage.read:/", who="eve", groups=[])
        body = json.dumps({"serialize": "/"})
        assert (await qos.http.put("/all", content=body, headers=eve | CDMI)).status_code == 403
        ada = as_member(qos, "qos:change")
        assert (await qos.http.put("/all", content=body, headers=ada | CDMI)).status_code == 201
