from __future__ import annotations

import json

import pytest

LEAST = {
    "creators": [{"name": "Carberry, Josiah"}],
    "titles": [{"title": "Water"}],
    "publisher": "INDIGO",
    "publicationYear": 2026,
    "types": {"resourceTypeGeneral": "Dataset"},
}


async def check(pid, body, content_type="application/json"):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await pid.http.post("/api/metadata/check", content=content, headers={"content-type": content_type})


async def test_complete_metadata_in_both_forms(pid, vectors):
    report = (await check(pid, {**LEAST, "doi": "10.5072/x"})).json()
    assert report["complete"]
    assert report["attributes"]["publisher"] == {"name": "INDIGO"}
    back = (await check(pid, report["xml"].encode(), "application/vnd.datacite.datacite+xml")).json()
    assert back == report
    assert (await check(pid, LEAST)).json()["xml"] is None
    example = vectors / "datacite" / "kernel-4.7" / "example" / "datacite-example-full-v4.xml"
    report = (await check(pid, example.read_bytes(), "application/xml; charset=utf-8")).json()
    assert report["complete"]
    assert len(report["attributes"]["contributors"]) == 22


async def test_what_is_wrong_is_told_by_field(pid):
    report = (await check(pid, {**LEAST, "titles": [{"title": " "}], "dates": [{"date": "2026"}]})).json()
    assert not report["complete"]
    assert [(one["pointer"], one["code"]) for one in report["errors"]] == [
        ("/titles/0/title", "missing"),
        ("/dates/0/dateType", "missing"),
    ]
    assert report["attributes"] is None
    many = (await check(pid, {**LEAST, "subjects": [{}] * 1000})).json()
    assert len(many["errors"]) == 200


BOMB = b"""<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<resource xmlns="http://datacite.org/schema/kernel-4"><version>&b;</version></resource>"""


async def test_a_document_with_entities_is_not_read(pid):
    report = (await check(pid, BOMB, "application/xml")).json()
    assert [one["code"] for one in report["errors"]] == ["xml"]
    assert "no document type declaration" in report["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"", "application/json", 422),
        (b"", "application/xml", 422),
        (b"{}", "text/plain", 415),
        (b'{"titles": [{"title": "\\ud800"}]}', "application/json", 400),
        (b"x" * (5 * 1024 * 1024), "application/xml", 413),
    ],
)
async def test_what_is_no_metadata_at_all(pid, body, content_type, status):
    answer = await check(pid, body, content_type)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
