"""The service over HTTP."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from indigo_integrity.adapters.db.tables import metadata

TESTS = [
    {"key": "there", "level": "existence"},
    {"key": "described", "level": "metadata"},
    {
        "key": "reproduced",
        "level": "processing",
        "software": "tool",
        "command": ["true"],
        "outputs": [{"path": "x", "compare": "exists"}],
    },
]


async def published(integrity) -> None:
    await integrity.plan({"tests": TESTS}, {"key": "tool", "kind": "software", "title": "T"})
    await integrity.publish("r1", {"a.csv": "x"})
    await integrity.work_off()


async def ask(integrity, body, path="/api/runs", headers=None):
    return await integrity.http.post(path, json=body, headers=headers or integrity.auth("integrity:run"))


async def test_run_on_demand(integrity) -> None:
    await published(integrity)
    answer = await ask(integrity, {"record_id": "r1", "test": "there"})
    assert answer.status_code == 202
    (queued,) = answer.json()["runs"]
    assert (queued["state"], queued["trigger"]) == ("queued", "demand")
    assert answer.headers["location"].endswith(f"/api/runs/{queued['run_id']}")
    await integrity.work_off()
    run = (await integrity.http.get(f"/api/runs/{queued['run_id']}")).json()
    assert (run["state"], run["verdict"]) == ("finished", "pass")
    assert await integrity.report(queued["run_id"]) == []


async def test_all_runs_of_a_record(integrity) -> None:
    await published(integrity)
    answer = await ask(integrity, {"record_id": "r1"})
    assert [run["test"] for run in answer.json()["runs"]] == ["there", "described"]


async def test_same_key_same_runs(integrity) -> None:
    await published(integrity)
    headers = integrity.auth("integrity:run")
    first = await ask(integrity, {"record_id": "r1"}, headers=headers)
    again = await ask(integrity, {"record_id": "r1"}, headers=headers)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    other = await ask(integrity, {"record_id": "r1", "test": "there"}, headers=headers)
    assert other.status_code == 422
    assert await integrity.work_off() == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"record_id": "r9"}, 404),
        ({"record_id": "r1", "test": "nothing"}, 404),
        ({"record_id": "r1", "test": "reproduced"}, 409),
        ({"record_id": "r1", "test": "Not A Key"}, 422),
        ({"record_id": ""}, 422),
        ({}, 422),
        ({"record_id": "r1", "tests": []}, 422),
        ({"record_id": "x\0"}, 400),
    ],
)
async def test_bad_requests(integrity, body, status) -> None:
    await published(integrity)
    answer = await ask(integrity, body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert await integrity.work_off() == 0


async def test_text_a_database_cannot_hold(integrity) -> None:
    headers = integrity.auth("integrity:run") | {"content-type": "application/json"}
    answer = await integrity.http.post("/api/runs", content=b'{"record_id": "r\\ud800"}', headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/api/runs", "/api/fixity"])
async def test_who_may_run_tests(integrity, path) -> None:
    await published(integrity)
    body = {"record_id": "r1"}
    assert (await integrity.http.post(path, json=body, headers={"idempotency-key": "k"})).status_code == 401
    assert (await ask(integrity, body, path, integrity.auth("dmp:write"))).status_code == 403
    headers = integrity.auth("integrity:run")
    del headers["idempotency-key"]
    assert (await ask(integrity, body, path, headers)).status_code == 400
    assert await integrity.work_off() == 0


async def test_record_without_plan_has_fixity_only(integrity) -> None:
    await integrity.publish("r1", {"a.csv": "x"}, output=None)
    assert (await ask(integrity, {"record_id": "r1"})).status_code == 409
    answer = await ask(integrity, {"record_id": "r1"}, "/api/fixity")
    assert answer.status_code == 202
    assert answer.json()["test"] == "fixity"
    assert (await ask(integrity, {"record_id": "r2"}, "/api/fixity")).status_code == 404


async def test_list(integrity) -> None:
    await published(integrity)
    await integrity.publish("r2", {"b.csv": "x"}, output=None)
    await ask(integrity, {"record_id": "r2"}, "/api/fixity")
    everything = []
    path = "/api/runs?limit=1"
    while path:
        page = await integrity.http.get(path)
        everything += page.json()["items"]
        path = page.links["next"]["url"] if "next" in page.links else None
    assert len(everything) == 3
    assert everything == sorted(everything, key=lambda run: (run["requested_at"], run["run_id"]), reverse=True)
    for query, tests in (
        ("record=r2", {"fixity"}),
        ("plan=p1", {"there", "described"}),
        ("state=queued", {"fixity"}),
        ("record=r1&state=finished", {"there", "described"}),
        ("record=none", set()),
    ):
        items = (await integrity.http.get(f"/api/runs?{query}")).json()["items"]
        assert {run["test"] for run in items} == tests
    assert (await integrity.http.get("/api/runs?state=lost")).status_code == 422
    assert (await integrity.http.get("/api/runs?cursor=forged")).status_code == 422


async def test_runs_that_are_not_there(integrity) -> None:
    assert (await integrity.http.get("/api/runs/none")).status_code == 404
    assert (await integrity.http.get("/api/runs/none/report")).status_code == 404
    assert (await integrity.http.get("/api/runs/a%00b")).status_code in {400, 404}


async def test_report_comes_with_the_verdict(integrity) -> None:
    await integrity.plan({"tests": TESTS[:1]})
    await integrity.publish("r1", {f"{n}.csv": "x" for n in range(30)})
    (requested,) = await integrity.facts()
    run_id = requested["run"]["run_id"]
    assert (await integrity.http.get(f"/api/runs/{run_id}/report")).status_code == 409
    for name in integrity.repository.files["r1"]:
        integrity.repository.files["r1"][name] = b"y"
    await integrity.work_off()
    run = (await integrity.http.get(f"/api/runs/{run_id}")).json()
    assert len(run["findings"]) == 20
    findings = await integrity.report(run_id)
    assert len(findings) == 30
    assert findings[:20] == run["findings"]


async def test_content_from_plan_to_report(integrity) -> None:
    structure = {
        "tables": [
            {
                "name": "samples",
                "path": "*.csv",
                "fields": [{"name": "n", "type": "integer", "required": True}, {"name": "site"}],
                "foreign_keys": [{"fields": ["site"], "table": "sites", "reference": ["id"]}],
            },
            {"name": "sites", "path": "lists/sites.csv", "fields": [{"name": "id", "unique": True}]},
        ]
    }
    test = {"key": "shaped", "level": "content", "tables": ["samples"]}
    await integrity.plan({"tests": [test], "structure": structure})
    files = {"a.csv": "n,site\n1,A\n", "b.csv": "n,site\nx,A\n2,Z\n", "lists/sites.csv": "id\nA\n"}
    await integrity.publish("r1", files)
    await integrity.work_off()
    run = await integrity.only()
    assert (run["verdict"], run["counts"]) == (
        "fail",
        {"tables": 1, "rows": 3, "errors": 2, "type-error": 1, "foreign-key": 1},
    )
    assert [(each["code"], each["location"]["file"], each["location"]["row"]) for each in run["findings"]] == [
        ("type-error", "b.csv", 2),
        ("foreign-key", "b.csv", 3),
    ]
    integrity.repository.files["r1"]["a.csv"] = b"n,site\n9,A\n"
    await ask(integrity, {"record_id": "r1", "test": "shaped"})
    await integrity.work_off()
    again = (await integrity.finished())[-1]
    assert [each["code"] for each in again["findings"]] == ["file-changed"]


async def test_content_without_its_file(integrity) -> None:
    structure = {"tables": [{"name": "t", "path": "t.csv", "fields": [{"name": "n"}]}]}
    await integrity.plan({"tests": [{"key": "shaped", "level": "content"}], "structure": structure})
    await integrity.publish("r1", {"other.csv": "x"})
    await integrity.work_off()
    run = await integrity.only()
    assert (run["verdict"], run["findings"][0]["code"]) == ("fail", "file-not-found")


async def test_migrations_make_the_tables(integrity) -> None:
    def differences(connection: sa.Connection) -> list:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)

    async with integrity.runtime.database.engine.connect() as conn:
        assert await conn.run_sync(differences) == []


async def test_openapi_names_every_operation(integrity) -> None:
    document = (await integrity.http.get("/openapi.json")).json()
    operations = {each["operationId"] for path in document["paths"].values() for each in path.values()}
    assert {
        "integrity_request_runs",
        "integrity_list_runs",
        "integrity_get_run",
        "integrity_get_report",
        "integrity_check_fixity",
    } <= operations
