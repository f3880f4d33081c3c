"""Crossref's sandbox answers as its deposit system and its REST API do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from indigo_pid.crossref.batches import Depositor, batch_document
from indigo_pid.crossref.records import record_of
from indigo_pid.crossref.reports import read_report
from indigo_pid.sandbox.crossref.processing import MAX_BYTES

PREFIX = "10.5555"
WHO = Depositor("INDIGO", "ops@example.org", "INDIGO", "The repository")


class Client:
    """A client with the login's credentials."""

    def __init__(self, pid: Any) -> None:
        self.http = pid.http
        self.login = {"login_id": "indigo", "login_passwd": pid.settings.crossref_password()}

    async def post(self, document: bytes, name: str = "a.xml", **fields: str) -> Any:
        form = {"operation": "doMDUpload", **self.login, **fields}
        return await self.http.post("/crossref/servlet/deposit", data=form, files={"fname": (name, document)})

    async def get(self, name: str = "a.xml", **query: str) -> Any:
        asked = {"usr": self.login["login_id"], "pwd": self.login["login_passwd"], "type": "result"}
        query = {**asked, "file_name": name, **query}
        return await self.http.get("/crossref/servlet/submissionDownload", params=query)

    async def report(self, name: str = "a.xml") -> Any:
        return read_report((await self.get(name)).content)


def document(*dois: str, timestamp: int = 1, title: str = "Water") -> bytes:
    attributes = {
        "url": "https://data.example.org/1",
        "creators": [{"name": "INDIGO"}],
        "titles": [{"title": title}],
        "publisher": "INDIGO",
        "publicationYear": 2026,
        "types": {"resourceTypeGeneral": "Dataset"},
    }
    records = [record_of(doi, attributes).xml for doi in dois]
    return batch_document("database", records, batch_id="batch", timestamp=timestamp, depositor=WHO).encode()


@pytest_asyncio.fixture
async def pid(start_pid) -> AsyncIterator[Any]:
    async with start_pid(doi_registrars={PREFIX: "crossref"}) as running:
        yield running


@pytest.fixture
def client(pid) -> Client:
    return Client(pid)


async def test_a_deposit_is_queued_and_then_processed(client):
    assert (await client.report()).status == "unknown_submission"
    answer = await client.post(document(f"{PREFIX}/A"))
    assert answer.status_code == 200
    assert "Your batch submission was successfully received." in answer.text
    assert (await client.report()).status == "queued"
    report = await client.report()
    assert (report.status, report.of(f"{PREFIX}/a").message) == ("completed", "Successfully added")
    assert await client.report() == report
    work = (await client.http.get(f"/crossref/works/{PREFIX}/A")).json()["message"]
    assert (work["DOI"], work["title"], work["type"]) == (f"{PREFIX}/a", ["Water"], "dataset")
    assert work["resource"]["primary"]["URL"] == "https://data.example.org/1"
    assert (await client.http.get(f"/crossref/works/{PREFIX}/b")).status_code == 404


async def test_the_file_can_be_read_back(client):
    sent = document(f"{PREFIX}/a")
    await client.post(sent)
    assert (await client.get(type="contents")).content == sent


async def test_only_a_higher_timestamp_changes_anything(client):
    await client.post(document(f"{PREFIX}/a", timestamp=5))
    await client.post(document(f"{PREFIX}/a", timestamp=5, title="Same"), "b.xml")
    await client.post(document(f"{PREFIX}/a", timestamp=6, title="Newer"), "c.xml")
    for _ in range(2):
        reports = [await client.report(name) for name in ("a.xml", "b.xml", "c.xml")]
    assert [one.records[0].verdict.value for one in reports] == ["Success", "Failure", "Success"]
    assert reports[1].records[0].is_older
    work = (await client.http.get(f"/crossref/works/{PREFIX}/a")).json()["message"]
    assert work["title"] == ["Newer"]


async def test_prefixes(client):
    await client.post(document("10.9999/a"))
    await client.post(document("10.9999/a", f"{PREFIX}/a"), "b.xml")
    for _ in range(2):
        strange, mixed = await client.report(), await client.report("b.xml")
    assert "not allowed to add records for prefix: 10.9999" in strange.records[0].message
    assert "All prefixes in a submission must match" in mixed.records[0].message
    assert (await client.http.get("/crossref/works/10.9999/a")).status_code == 404


@pytest.mark.parametrize(
    "wrong", [{"login_passwd": "x"}, {"login_id": "INDIGO"}, {"login_id": "é", "login_passwd": "ß"}]
)
async def test_wrong_credentials(client, wrong):
    assert (await client.post(document(f"{PREFIX}/a"), **wrong)).status_code == 401
    query = {"usr": wrong.get("login_id", "indigo"), "pwd": wrong.get("login_passwd", "x")}
    assert (await client.get(**query)).status_code == 401


async def test_what_is_no_deposit(client):
    assert "FAILURE" in (await client.post(b"x", operation="doQueryUpload")).text
    empty = await client.http.post("/crossref/servlet/deposit", data=client.login)
    assert (empty.status_code, "FAILURE" in empty.text) == (200, True)
    broken = await client.http.post(
        "/crossref/servlet/deposit", content=b"x", headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert broken.status_code in {400, 401}
    assert (await client.post(b"x" * (MAX_BYTES + 70_000))).status_code == 413

    async def endless():
        yield b"x"

    unsized = await client.http.post("/crossref/servlet/deposit", content=endless())
    assert unsized.status_code == 413


async def test_a_bomb_is_reported_and_nothing_else(client):
    bomb = b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><doi_batch>&b;</doi_batch>'
    await client.post(bomb)
    for _ in range(2):
        report = await client.report()
    assert "no document type declaration" in report.records[0].message


async def test_lists_have_pages(client):
    await client.post(document(*(f"{PREFIX}/{n}" for n in range(5))))
    for _ in range(2):
        await client.report()
    seen, cursor = [], "*"
    while True:
        page = await client.http.get(f"/crossref/prefixes/{PREFIX}/works", params={"rows": 2, "cursor": cursor})
        message = page.json()["message"]
        assert message["total-results"] == 5
        if not message["items"]:
            break
        seen += [one["DOI"] for one in message["items"]]
        cursor = message["next-cursor"]
    assert seen == [f"{PREFIX}/{n}" for n in range(5)]
    for cursor in ("!", "é", "/w=="):
        page = await client.http.get(f"/crossref/prefixes/{PREFIX}/works", params={"cursor": cursor})
        assert page.status_code == 400, cursor


async def test_who_sets_the_queue_and_the_faults(pid, start_pid):
    assert (await pid.http.put("/api/sandbox/queue", json={"polls": 2})).status_code == 401
    refused = await pid.http.put("/api/sandbox/queue", json={"polls": 2}, headers=pid.auth("pid:mint"))
    assert refused.status_code == 403
    wrong = await pid.http.put("/api/sandbox/queue", json={"polls": -1}, headers=pid.auth("operator"))
    assert wrong.status_code == 422
    strange = "/api/sandbox/faults?registrar=other"
    assert (await pid.http.get(strange, headers=pid.auth("operator"))).status_code == 422
    set_ = await pid.http.put(
        "/api/sandbox/faults?registrar=crossref", json={"too_many": 1}, headers=pid.auth("operator")
    )
    assert set_.status_code == 200
    assert (await pid.http.get(f"/crossref/works/{PREFIX}/a")).status_code == 429
    assert (await pid.http.get("/registrar/heartbeat")).status_code == 200


async def test_without_its_prefixes_it_is_not_there(start_pid):
    async with start_pid() as pid:
        assert (await pid.http.get(f"/crossref/works/{PREFIX}/a")).status_code == 404
        url = "/api/sandbox/faults?registrar=crossref"
        assert (await pid.http.get(url, headers=pid.auth("operator"))).status_code == 404
        queue = await pid.http.put("/api/sandbox/queue", json={}, headers=pid.auth("operator"))
        assert queue.status_code == 404
