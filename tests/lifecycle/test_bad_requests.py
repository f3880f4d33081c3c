"""What a client may do wrong on a running suite, and the clear answer it gets."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from indigo_suite.researcher import MADMP, Plan, Researcher
from indigo_testing.deployments import Standalone, free_block, standalone
from indigo_testing.story import draft_plan, eventually, reserved

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> Iterator[Standalone]:
    with standalone(tmp_path_factory.mktemp("suite"), free_block()) as running:
        yield running


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads((Path(__file__).parents[2] / "examples" / "penguins" / "plan.json").read_text())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def published(suite: Standalone, document, tmp_path_factory) -> tuple[Plan, dict[str, str]]:
    """A published plan of the researcher, and the drafts that were reserved for its outputs."""
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        researcher = Researcher(http, suite.endpoints, suite.token())
        folder = tmp_path_factory.mktemp("plan")
        plan = await researcher.publish_plan(await draft_plan(researcher, copy.deepcopy(document), folder))
        return plan, await reserved(researcher, plan)


@pytest.fixture
def draft(suite: Standalone, published) -> str:
    """The address of a reserved draft."""
    return f"{suite.endpoints.repository}/api/records/{published[1]['measurements']}/draft"


def bearer(suite: Standalone, subject: str = "researcher", scopes: list[str] | None = None) -> dict[str, str]:
    return {"authorization": f"Bearer {suite.token(subject, scopes)}"}


def assert_refused(answer: httpx.Response, status: int, said: str) -> None:
    """The answer is an error in the words of the RDA common maDMP API."""
    assert answer.status_code == status, answer.text
    assert said in answer.text


def assert_problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The answer is a problem (RFC 9457) of this type; returns it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].rsplit("/", 1)[-1] == slug
    assert problem["detail"]
    return problem


# --- uploads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "announced",
    [
        {"params": {"checksum": "sha256:" + "0" * 64}},
        {"params": {"checksum": "md5:" + "0" * 32}},
        {"headers": {"repr-digest": "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"}},
    ],
)
async def test_an_upload_with_another_checksum_is_refused(suite, draft, http, announced) -> None:
    headers = bearer(suite)
    name = hashlib.sha256(repr(announced).encode()).hexdigest()[:8] + ".csv"
    await http.post(f"{draft}/files", json=[{"key": name}], headers=headers)
    sent = await http.put(
        f"{draft}/files/{name}/content",
        content=b"a,b\n1,2\n",
        headers=headers | announced.get("headers", {}),
        params=announced.get("params"),
    )
    assert_problem(sent, 422, "checksum-mismatch")
    assert (await http.get(f"{draft}/files/{name}", headers=headers)).json()["status"] == "pending"
    assert_problem(await http.post(f"{draft}/files/{name}/commit", headers=headers), 409, "conflict")
    await http.delete(f"{draft}/files/{name}", headers=headers)


@pytest.mark.parametrize(
    "name", ["../outside.csv", "a/../../b", "/etc/passwd", "a//b", "nul\\u0000", "", "./a", "a/."]
)
async def test_a_name_that_is_no_safe_path_is_refused(suite, draft, http, name) -> None:
    body = f'[{{"key": "good.csv"}}, {{"key": "{name}"}}]'.encode()
    answer = await http.post(f"{draft}/files", content=body, headers=bearer(suite) | JSON)
    assert answer.status_code in {400, 422}
    problem = answer.json()
    if answer.status_code == 422:
        assert [error["pointer"] for error in problem["errors"]] == ["/1/key"]
    listed = await http.get(f"{draft}/files", headers=bearer(suite))
    assert "good.csv" not in {each["key"] for each in listed.json()["entries"]}  # all or none


async def test_an_upload_that_was_cut_off_leaves_nothing(suite: Standalone, draft: str, http) -> None:
    headers = bearer(suite)
    await http.post(f"{draft}/files", json=[{"key": "half.bin"}], headers=headers)
    url = httpx.URL(f"{draft}/files/half.bin/content")
    before = staged(suite.data.repository)
    _, writer = await asyncio.open_connection(url.host, url.port)
    head = f"PUT {url.path} HTTP/1.1\r\nhost: {url.host}\r\ncontent-length: 1000000\r\n"
    writer.write((head + f"authorization: {headers['authorization']}\r\n\r\n").encode() + b"x" * 300_000)
    await writer.drain()

    async def blobs() -> int:
        return len(await asyncio.to_thread(staged, suite.data.repository) - before)

    await eventually(blobs, lambda count: count == 1, "an upload on the disk")
    writer.close()
    await writer.wait_closed()
    await eventually(blobs, lambda count: count == 0, "a disk without the rest of the upload")
    assert (await http.get(f"{draft}/files/half.bin", headers=headers)).json()["status"] == "pending"
    answer = assert_problem(await http.post(f"{draft}/files/half.bin/commit", headers=headers), 409, "conflict")
    assert "cut off" in answer["detail"]
    again = await http.put(str(url), content=b"whole", headers=headers)
    assert again.json()["size"] == 5
    await http.delete(f"{draft}/files/half.bin", headers=headers)


def staged(store: Path) -> set[Path]:
    return {each for folder in ("incoming", "sealed") for each in store.rglob(f"{folder}/*")}


# --- people ----------------------------------------------------------------------------------------


async def test_somebody_elses_draft_is_not_there(suite, draft, published, http) -> None:
    plan, drafts = published
    other = bearer(suite, "somebody-else", [s for s in ALL if s != "operator"])
    assert_problem(await http.get(draft, headers=other), 404, "not-found")
    assert_problem(await http.get(f"{draft}/files", headers=other), 404, "not-found")
    assert_problem(await http.post(f"{draft}/files", json=[{"key": "x"}], headers=other), 404, "not-found")
    assert_problem(await http.post(f"{draft}/actions/publish", headers=other), 404, "not-found")
    found = await http.get(
        f"{suite.endpoints.repository}/api/records", params={"plan": plan.plan_id}, headers=other
    )
    assert not set(drafts.values()) & {each["id"] for each in found.json()["hits"]["hits"]}
    never = f"{suite.endpoints.repository}/api/records/{drafts['measurements'][:-4]}0000/draft"
    theirs, nobodys = await http.get(draft, headers=other), await http.get(never, headers=other)
    assert theirs.json()["detail"] == nobodys.json()["detail"]  # the answer does not tell that it exists


async def test_somebody_elses_plan_cannot_be_changed(suite, published, document, http) -> None:
    plan, _ = published
    other = bearer(suite, "somebody-else", [s for s in ALL if s != "operator"])
    for answer in (
        await http.put(
            f"{suite.endpoints.dmp}/dmps/{plan.plan_id}",
            json=document,
            headers=other | {"content-type": MADMP, "if-match": plan.etag},
        ),
        await http.post(
            f"{suite.endpoints.dmp}/plans/{plan.plan_id}/withdraw",
            json={"reason": "mischief"},
            headers=other | {"if-match": plan.etag},
        ),
    ):
        assert answer.status_code in {403, 404}, answer.text
    state = await http.get(f"{suite.endpoints.dmp}/plans/{plan.plan_id}")
    assert state.json()["state"] == "published"


ALL = [
    "dmp:write",
    "dmp:publish",
    "repository:write",
    "pid:mint",
    "integrity:run",
    "qos:change",
    "operator",
]


@pytest.mark.parametrize(
    ("service", "path", "body", "missing"),
    [
        ("dmp", "/plans/{plan}/outputs/measurements/taxa", [], "dmp:write"),
        ("dmp", "/plans/{plan}/publish", None, "dmp:publish"),
        ("repository", "/api/records", {"kind": "dataset"}, "repository:write"),
        ("repository", "/api/records/{record}/draft/actions/publish", None, "repository:write"),
        ("pid", "/api/identifiers", {"target": "https://example.org/"}, "pid:mint"),
        ("integrity", "/api/fixity", {"record_id": "{record}"}, "integrity:run"),
        ("qos", "/api/transitions", {"path": "/records", "target_class": "DiskOnly"}, "qos:change"),
    ],
)
async def test_a_token_without_the_scope_is_refused(suite, published, http, service, path, body, missing) -> None:
    plan, drafts = published
    url = getattr(suite.endpoints, service) + path.format(plan=plan.plan_id, record=drafts["measurements"])
    headers = {"idempotency-key": '"one"', "if-match": plan.etag}
    scopes = [scope for scope in ALL if scope not in {missing, "operator"}]
    method = "PUT" if "/outputs/" in path else "POST"
    answer = await http.request(method, url, json=body, headers=headers | bearer(suite, scopes=scopes))
    problem = assert_problem(answer, 403, "forbidden")
    assert missing in problem["detail"]
    anonymous = await http.request(method, url, json=body, headers=headers)
    assert anonymous.status_code == 401
    assert anonymous.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_of_nobody_we_trust_is_refused(suite, published, http) -> None:
    token = suite.token()
    body, signature = token.rsplit(".", 1)
    forged = f"{body}.{'A' * len(signature)}"
    for endpoint in ("dmp", "repository", "pid", "integrity", "qos"):
        answer = await http.post(
            f"{getattr(suite.endpoints, endpoint)}/api-keys",
            json={},
            headers={"authorization": f"Bearer {forged}"},
        )
        assert_problem(answer, 401, "unauthenticated")


# --- documents -------------------------------------------------------------------------------------


async def test_a_stale_version_is_refused(suite, published, document, http) -> None:
    plan, _ = published
    stale = bearer(suite) | {"if-match": '"v1"'}
    edit = await http.put(
        f"{suite.endpoints.dmp}/plans/{plan.plan_id}/outputs/measurements/taxa", json=[], headers=stale
    )
    assert_problem(edit, 412, "precondition-failed")
    replaced = await http.put(
        f"{suite.endpoints.dmp}/dmps/{plan.plan_id}", json=document, headers=stale | {"content-type": MADMP}
    )
    assert_refused(replaced, 409, "The current version is 2")  # as the RDA common maDMP API has it
    publish = await http.post(f"{suite.endpoints.dmp}/plans/{plan.plan_id}/publish", headers=stale)
    assert_problem(publish, 412, "precondition-failed")
    missing = await http.post(f"{suite.endpoints.dmp}/plans/{plan.plan_id}/publish", headers=bearer(suite))
    assert_problem(missing, 428, "precondition-required")


async def test_another_media_type_is_refused_with_those_there_are(suite, http) -> None:
    headers = bearer(suite) | {"content-type": "text/csv"}
    answer = await http.post(f"{suite.endpoints.dmp}/dmps", content=b"a,b\n", headers=headers)
    assert answer.status_code == 415
    assert MADMP in answer.headers["accept"]


async def test_an_unknown_field_of_the_extension_is_pointed_at(suite, document, http) -> None:
    changed = copy.deepcopy(document)
    changed["dmp"]["dataset"][1]["indigo"]["tests"][0]["colour"] = "blue"
    headers = bearer(suite) | {"content-type": MADMP}
    answer = await http.post(f"{suite.endpoints.dmp}/dmps", json=changed, headers=headers)
    assert_refused(answer, 400, "/dmp/dataset/1/indigo/tests/0")
    assert "colour" in answer.text


@pytest.mark.parametrize("service", ["dmp", "repository", "pid", "integrity", "qos"])
async def test_five_megabytes_of_json_are_too_much(suite, http, service) -> None:
    path = {"dmp": "/dmps", "repository": "/api/records", "pid": "/api/identifiers"}.get(service, "/api-keys")
    body = b'{"a": "' + b"x" * (5 << 20) + b'"}'
    answer = await http.post(
        f"{getattr(suite.endpoints, service)}{path}", content=body, headers=bearer(suite) | JSON
    )
    if service == "dmp":
        assert_refused(answer, 413, "4194304")
    else:
        assert_problem(answer, 413, "too-large")


@pytest.mark.parametrize("text", ["a\\u0000b", "\\ud800"])
@pytest.mark.parametrize("service", ["dmp", "repository", "pid", "integrity", "qos"])
async def test_text_no_database_can_hold_is_refused(suite, http, service, text) -> None:
    body = f'{{"metadata": {{"title": "{text}"}}}}'.encode()
    path = {"dmp": "/dmps", "repository": "/api/records", "pid": "/api/identifiers"}.get(service, "/api-keys")
    answer = await http.post(
        f"{getattr(suite.endpoints, service)}{path}", content=body, headers=bearer(suite) | JSON
    )
    if service == "dmp":
        assert_refused(answer, 400, "NUL" if "0000" in text else "surrogate")
    else:
        assert_problem(answer, 400, "invalid-text")
