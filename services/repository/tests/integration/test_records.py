"""From a draft to a published record, and what readers get."""

import base64
import hashlib
import json

import pytest
from indigo_repository.adapters.storage.ocfl_validate import validate_object

ADA = "ada"


@pytest.fixture
def ada(suite):
    return suite.as_(ADA)


async def test_deposit_publish_and_read(suite, ada):
    content = b"id,mass_g\n1,2.5\n"
    record_id = await suite.published(ada, {"data/measures.csv": content, "README.md": b"# read me"})
    answer = await suite.http.get(f"/api/records/{record_id}")
    assert answer.status_code == 200
    record = answer.json()
    assert record["is_published"] is True
    assert record["files"] == {"count": 2, "total_bytes": len(content) + 9}
    assert answer.headers["etag"] == f'"v{record["revision_id"]}"'
    again = await suite.http.get(f"/api/records/{record_id}", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    file = await suite.http.get(f"/api/records/{record_id}/files/data/measures.csv/content")
    assert file.content == content
    assert file.headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    assert file.headers["content-type"].startswith("text/csv")
    assert file.headers["content-disposition"] == 'attachment; filename="measures.csv"'
    assert file.headers["x-content-type-options"] == "nosniff"
    home = next((suite.settings.storage_dir / "ocfl-root").rglob("0=ocfl_object_1.1")).parent
    assert validate_object(home).found == []
    described = json.loads((home / "v1/content/metadata/record.json").read_bytes())
    assert described["record_id"] == record_id
    assert {file["key"] for file in described["files"]} == {"data/measures.csv", "README.md"}
    assert list((suite.settings.storage_dir / "staging" / "sealed").iterdir()) == []


async def test_published_is_stated_once_with_the_files(suite, ada):
    record_id = await suite.published(ada, {"a.txt": b"a"})
    (fact,) = await suite.facts("repository.record.published.v1")
    snapshot = fact["record"]
    assert snapshot["record_id"] == record_id
    assert snapshot["state"] == "published"
    assert snapshot["files"][0]["sha256"] == hashlib.sha256(b"a").hexdigest()
    assert (
        snapshot["files"][0]["url"]
        == f"https://repository.example.org/api/records/{record_id}/files/a.txt/content"
    )
    assert fact["actor"]["sub"] == ADA


async def test_range_and_head(suite, ada):
    record_id = await suite.published(ada, {"a.bin": bytes(range(256)) * 1000})
    url = f"/api/records/{record_id}/files/a.bin/content"
    part = await suite.http.get(url, headers={"range": "bytes=10-19"})
    assert part.status_code == 206
    assert part.content == bytes(range(10, 20))
    assert part.headers["content-range"] == "bytes 10-19/256000"
    stale = await suite.http.get(url, headers={"range": "bytes=10-19", "if-range": '"other"'})
    assert stale.status_code == 200
    beyond = await suite.http.get(url, headers={"range": "bytes=300000-"})
    assert beyond.status_code == 416
    head = await suite.http.head(url)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == "256000"
    unchanged = await suite.http.get(url, headers={"if-none-match": head.headers["etag"]})
    assert unchanged.status_code == 304


@pytest.mark.parametrize("ranges", ["bytes=5-2", "bytes=-", "bytes=abc", "lines=1-2", "x", "bytes=" + "0-1," * 20])
async def test_a_range_that_means_nothing_is_ignored(suite, ada, ranges):
    record_id = await suite.published(ada, {"a.txt": b"abcdef"})
    answer = await suite.http.get(f"/api/records/{record_id}/files/a.txt/content", headers={"range": ranges})
    assert (answer.status_code, answer.content) == (200, b"abcdef")


async def test_publication_tells_everything_that_is_missing(suite, ada):
    draft = (await suite.http.post("/api/records", json={"kind": "dataset"}, headers=ada)).json()
    wanted = {"/metadata/title", "/metadata/creators", "/metadata/license", "/files"}
    assert {error["pointer"] for error in draft["errors"]} == wanted
    answer = await suite.publish(ada, draft["id"])
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == wanted
    await suite.http.post(f"/api/records/{draft['id']}/draft/files", json=[{"key": "x"}], headers=ada)
    answer = await suite.publish(ada, draft["id"])
    assert "/files/entries/0" in {error["pointer"] for error in answer.json()["errors"]}


@pytest.mark.parametrize(
    ("metadata", "pointer"),
    [
        ({"access": "secret"}, "/metadata/access"),
        ({"publication_date": "yesterday"}, "/metadata/publication_date"),
        ({"license": "CC-BY"}, "/metadata/license"),
        ({"creators": [{"name": ""}]}, "/metadata/creators/0/name"),
        ({"language": "english!"}, "/metadata/language"),
        ({"titel": "x"}, "/metadata/titel"),
    ],
)
async def test_bad_metadata_is_pointed_at(suite, ada, metadata, pointer):
    answer = await suite.http.post("/api/records", json={"metadata": metadata}, headers=ada)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_draft_needs_if_match_and_the_right_version(suite, ada):
    record_id = await suite.draft(ada)
    url = f"/api/records/{record_id}/draft"
    body = {"metadata": {"title": "Other"}}
    assert (await suite.http.put(url, json=body, headers=ada)).status_code == 428
    assert (await suite.http.put(url, json=body, headers=ada | {"if-match": '"v9"'})).status_code == 412
    tag = (await suite.http.get(url, headers=ada)).headers["etag"]
    changed = await suite.http.put(url, json=body, headers=ada | {"if-match": tag})
    assert changed.json()["metadata"]["title"] == "Other"
    assert changed.headers["etag"] != tag
    gone = await suite.http.delete(url, headers=ada | {"if-match": changed.headers["etag"]})
    assert gone.status_code == 204
    assert (await suite.http.get(url, headers=ada)).status_code == 404


async def test_drafts_and_restricted_files_are_not_for_others(suite, ada):
    bob = suite.as_("bob")
    draft = await suite.draft(ada, access="restricted")
    await suite.upload(ada, draft, "secret.txt", b"secret")
    for who in ({}, bob):
        assert (await suite.http.get(f"/api/records/{draft}/draft", headers=who)).status_code == 404
        assert (await suite.http.get(f"/api/records/{draft}", headers=who)).status_code == 404
        assert (await suite.http.get(f"/api/records/{draft}/premis", headers=who)).status_code == 404
        assert (await suite.http.get(f"/records/{draft}", headers=who)).status_code == 404
    assert (await suite.publish(bob, draft)).status_code == 404
    assert (await suite.publish(suite.as_(ADA, "dmp:write"), draft)).status_code == 403
    assert (await suite.publish({}, draft)).status_code == 401
    assert (await suite.publish(ada, draft)).status_code == 200
    url = f"/api/records/{draft}/files/secret.txt/content"
    assert (await suite.http.get(url)).status_code == 401
    assert (await suite.http.get(url, headers=bob)).status_code == 403
    assert (await suite.http.get(url, headers=ada)).content == b"secret"
    assert (await suite.http.get(url, headers=suite.as_("integrity", "service"))).content == b"secret"
    page = await suite.http.get(f"/records/{draft}", headers={"accept": "text/html"})
    assert "secret.txt" not in page.text
    assert "secret.txt" not in page.headers["link"]


async def test_publishing_twice_with_the_same_key_publishes_once(suite, ada):
    draft = await suite.draft(ada)
    await suite.upload(ada, draft, "a.txt", b"a")
    first = await suite.publish(ada, draft, **{"idempotency-key": '"once"'})
    second = await suite.publish(ada, draft, **{"idempotency-key": '"once"'})
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert second.headers["idempotency-replayed"] == "true"
    assert (await suite.publish(ada, draft)).status_code == 409
    assert await suite.fact_names() == ["repository.record.published.v1"]


async def test_search_and_pages(suite, ada):
    ids = [await suite.published(ada, {"a.txt": b"%d" % n}, title=f"Beetles {n}") for n in range(3)]
    draft = await suite.draft(ada, title="Beetles in a draft")
    found = (await suite.http.get("/api/records", params={"q": "beetles", "limit": 2})).json()
    assert [hit["id"] for hit in found["hits"]["hits"]] == ids[:0:-1]
    assert found["hits"]["total"] == 3
    rest = await suite.http.get(
        "/api/records", params={"q": "beetles", "limit": 2, "cursor": found["next_cursor"]}
    )
    assert [hit["id"] for hit in rest.json()["hits"]["hits"]] == ids[:1]
    own = (await suite.http.get("/api/records", params={"q": "beetles"}, headers=ada)).json()
    assert own["hits"]["hits"][0]["id"] == draft
    none = await suite.http.get("/api/records", params={"q": "beetles", "kind": "software"})
    assert none.json()["hits"]["total"] == 0


async def test_withdrawn_leaves_a_tombstone_everywhere(suite, ada):
    record_id = await suite.published(ada, {"a.txt": b"a"})
    url = f"/api/records/{record_id}/actions/withdraw"
    assert (await suite.http.post(url, json={"reason": "x"}, headers=suite.as_("bob"))).status_code == 403
    assert (await suite.http.post(url, json={"reason": " "}, headers=ada)).status_code == 422
    assert (await suite.http.post(url, json={"reason": "Wrong sensor"}, headers=ada)).status_code == 200
    assert (await suite.http.post(url, json={"reason": "again"}, headers=ada)).status_code == 410
    gone = await suite.http.get(f"/api/records/{record_id}")
    assert gone.status_code == 410
    assert gone.json()["tombstone"]["reason"] == "Wrong sensor"
    assert (await suite.http.get(f"/api/records/{record_id}/files/a.txt/content")).status_code == 410
    page = await suite.http.get(f"/records/{record_id}", headers={"accept": "text/html"})
    assert page.status_code == 410
    assert "Wrong sensor" in page.text
    (fact,) = await suite.facts("repository.record.withdrawn.v1")
    assert fact["reason"] == "Wrong sensor"
    events = (await suite.http.get(f"/api/records/{record_id}/premis")).json()["items"]
    assert [event["eventType"].rpartition("/")[2] for event in events] == ["mes", "ing", "dea"]


async def test_landing_page_for_people_and_machines(suite, ada):
    record_id = await suite.published(ada, {"a.txt": b"a"}, title="<b>Beetles</b></script>")
    page = await suite.http.get(f"/records/{record_id}", headers={"accept": "text/html,*/*;q=0.1"})
    assert page.headers["content-type"].startswith("text/html")
    assert "&lt;b&gt;Beetles" in page.text
    assert page.text.count("</script>") == 1
    assert hashlib.sha256(b"a").hexdigest() in page.text
    assert 'rel="item"; type="text/plain"' in page.headers["link"]
    assert '<https://orcid.org/0000-0002-1825-0097>; rel="author"' in page.headers["link"]
    data = (await suite.http.get(f"/records/{record_id}", headers={"accept": "application/ld+json"})).json()
    assert data["@type"] == "Dataset"
    assert data["distribution"][0]["sha256"] == hashlib.sha256(b"a").hexdigest()
    plain = await suite.http.get(f"/records/{record_id}", headers={"accept": "application/json"})
    assert plain.json()["id"] == record_id
    odd = await suite.http.get(f"/records/{record_id}", headers={"accept": "image/png"})
    assert odd.status_code == 406


async def test_verify_names_the_damaged_file_and_its_repair(suite, ada):
    record_id = await suite.published(ada, {"good.txt": b"good", "bad.txt": b"bad"})
    operator = suite.as_("root", "operator")
    url = f"/api/records/{record_id}/actions/verify"
    assert (await suite.http.post(url, headers=ada)).status_code == 403
    clean = (await suite.http.post(url, headers=operator)).json()
    assert (clean["files"], clean["damaged"], clean["object_problems"]) == (2, [], [])
    path = suite.stored("bad.txt")
    path.write_bytes(b"bud")
    hurt = (await suite.http.post(url, headers=operator)).json()
    assert [(each["file"], each["problem"]) for each in hurt["damaged"]] == [("bad.txt", "changed")]
    assert (await suite.http.post(url, headers=operator)).status_code == 200  # known damage is not stated again
    (fact,) = await suite.facts("repository.file.corrupted.v1")
    assert (fact["file"], fact["observed_sha256"]) == ("bad.txt", hashlib.sha256(b"bud").hexdigest())
    content = f"/api/records/{record_id}/files/bad.txt/content"
    assert (await suite.http.get(content)).status_code == 503
    assert (await suite.http.get(content, headers=operator)).content == b"bud"
    path.unlink()
    missing = (await suite.http.post(url, headers=operator)).json()
    assert missing["damaged"][0]["problem"] == "missing"
    assert any(problem.startswith("E092") for problem in missing["object_problems"])
    assert (await suite.http.get(content, headers=operator)).status_code == 503
    path.write_bytes(b"bad")
    healed = (await suite.http.post(url, headers=operator)).json()
    assert healed["damaged"] == []
    assert (await suite.fact_names())[-1] == "repository.file.repaired.v1"


async def test_repr_digest_tells_the_sha256(suite, ada):
    record_id = await suite.published(ada, {"a.txt": b"abc"})
    answer = await suite.http.get(f"/api/records/{record_id}/files/a.txt/content")
    digest = base64.b64encode(hashlib.sha256(b"abc").digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
