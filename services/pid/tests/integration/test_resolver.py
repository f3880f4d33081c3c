from __future__ import annotations

import asyncio
from urllib.parse import quote

from indigo_contracts.repository import RecordPublished, RecordReserved, RecordState, RecordWithdrawn
from indigo_pid.application.name_index import Mode
from prometheus_client import REGISTRY

TARGET = "https://data.example.org/42?a=b#c"
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_every_face_redirects(pid, record):
    await pid.deliver(RecordPublished(record=record(state=RecordState.PUBLISHED)))
    names = await pid.identifier_of("r1")
    suffix = names["handle"].partition("/")[2]
    for name in (
        names["handle"],
        names["handle"].upper(),
        names["handle"].lower(),
        quote(names["handle"], safe=""),
        names["doi"],
        names["doi"].upper(),
        names["ark"],
        names["ark"].replace("ark:/", "ark:"),
        names["ark"].replace("ark:/", "ARK:"),
        f"ark:99999/{suffix[:4]}-{suffix[4:]}",
    ):
        for method in ("GET", "HEAD"):
            answer = await pid.http.request(method, f"/{name}")
            assert answer.status_code == 302, (method, name)
            assert answer.headers["location"] == "https://repository.example.org/records/r1"
            assert answer.headers["cache-control"] == "public, max-age=300"
            assert answer.content == b""


async def test_an_ark_name_is_compared_with_case(pid, record):
    await pid.deliver(RecordPublished(record=record(state=RecordState.PUBLISHED)))
    suffix = (await pid.identifier_of("r1"))["handle"].partition("/")[2]
    assert any(character.isalpha() for character in suffix)
    assert (await pid.http.get(f"/ark:/99999/{suffix.upper()}")).status_code == 404


async def test_nothing_of_the_request_gets_into_the_redirect(pid):
    made = await pid.mint(target=TARGET)
    for query in (
        "?urlappend=//evil.test",
        "?url=https://evil.test",
        "?target=https://evil.test&x=%0d%0aset-cookie:a=b",
    ):
        answer = await pid.http.get(f"/{made['handle']}{query}")
        assert answer.headers["location"] == TARGET
        assert "set-cookie" not in answer.headers
    for path in (
        f"/{made['handle']}/../evil",
        f"/{made['handle']}/evil.test",
        f"/{made['handle']}%2F..",
        "//evil.test/x",
    ):
        assert (await pid.http.get(path)).status_code == 404


UNKNOWN = [
    "/21.T99999/never-given",
    "/21.T88888/x",
    "/10.1002/(SICI)1097-4571(199806)49:8%3C693::AID-ASI4%3E3.0.CO;2-O",
    "/10.5072/a%2Fb",
    "/10.5072/a%252Fb",
    "/10.5072/a//b",
    "/ark:/12345/x",
    "/21.T99999/%C3%A9%E2%82%AC",
    "/10.5072/" + "x" * 2000,
]


async def test_unknown_names(pid):
    for path in UNKNOWN:
        answer = await pid.http.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["cache-control"] == "no-cache"
        shown = await pid.http.get(path, headers=BROWSER)
        assert shown.status_code == 404, path
        assert shown.headers["content-type"].startswith("text/html")
        assert "does not resolve" in shown.text
        assert (await pid.http.head(path)).status_code == 404


async def test_a_page_shows_a_name_as_text_only(pid):
    shown = await pid.http.get("/10.5072/%3Cscript%3Ealert(1)%3C%2Fscript%3E", headers=BROWSER)
    assert "<script>" not in shown.text
    assert "&lt;script&gt;" in shown.text
    assert "default-src 'none'" in shown.headers["content-security-policy"]


async def test_text_no_database_can_hold(pid):
    for path in ("/21.T99999/a%00b", "/21.T99999/%ff"):
        assert (await pid.http.get(path)).status_code == 400


async def test_too_long_a_name(pid):
    assert (await pid.http.get("/10.5072/" + "x" * 3000)).status_code == 422


async def test_a_typing_error_is_pointed_out(pid):
    made = await pid.mint(target=TARGET)
    wrong = made["handle"][:-1] + ("b" if made["handle"][-1] != "b" else "c")
    assert "a character is wrong" in (await pid.http.get(f"/{wrong}")).json()["detail"]
    assert "not resolved here" in (await pid.http.get("/10.1234/x")).json()["detail"]


async def test_reserved_names_do_not_resolve_and_say_so(pid, record):
    await pid.deliver(RecordReserved(record=record(title="Secret draft")))
    handle = (await pid.identifier_of("r1"))["handle"]
    for headers in ({}, BROWSER):
        for query in ("", "?noredirect"):
            answer = await pid.http.get(f"/{handle}{query}", headers=headers)
            assert answer.status_code == 404
            assert "reserved" in answer.text
            assert "Secret" not in answer.text


async def test_a_tombstone_tells_what_was_there_and_why_it_is_gone(pid, record):
    gone = record(state=RecordState.WITHDRAWN, version=2, title="Water <b>quality</b>")
    await pid.deliver(RecordWithdrawn(record=gone, reason="<script>x</script> wrong sensor"))
    names = await pid.identifier_of("r1")
    shown = await pid.http.get(f"/{names['doi']}", headers=BROWSER)
    assert shown.status_code == 410
    assert "Water &lt;b&gt;quality" in shown.text
    assert "Carberry, Josiah" in shown.text
    assert "&lt;script&gt;x" in shown.text
    assert "<script>" not in shown.text
    told = await pid.http.get(f"/{names['handle']}")
    assert told.status_code == 410
    assert told.json()["reason"] == "<script>x</script> wrong sensor"
    assert told.json()["identifier"]["handle"] == names["handle"]
    assert (await pid.http.head(f"/{names['ark']}")).status_code == 410


async def test_noredirect_shows_the_record(pid):
    made = await pid.mint(target=TARGET, kind="software")
    for query in ("?noredirect", "?noredirect=true"):
        answer = await pid.http.get(f"/{made['handle']}{query}")
        assert answer.status_code == 200
        assert answer.json()["target"] == TARGET
        assert answer.json()["kind"] == "software"


async def test_the_resolver_shadows_nothing(pid):
    for path in ("/livez", "/readyz", "/version", "/openapi.json", "/asyncapi.json", "/registrar/heartbeat"):
        answer = await pid.http.get(path)
        assert answer.status_code == 200, answer.text


async def test_redirects_are_counted(pid):
    labels = {"service": "pid", "outcome": "302"}
    made = await pid.mint(target="https://data.example.org/42")
    async with asyncio.timeout(20):
        while pid.index.mode is not Mode.CURRENT:
            await asyncio.sleep(0.01)
    before = REGISTRY.get_sample_value("indigo_resolutions_total", labels) or 0
    for _ in range(3):
        assert (await pid.http.get(f"/{made['handle']}")).status_code == 302
    assert REGISTRY.get_sample_value("indigo_resolutions_total", labels) == before + 3
