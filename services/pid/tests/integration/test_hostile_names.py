"""Names as attackers and careless people write them, against the service as it runs."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import httpx
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from indigo_pid.application.name_index import Mode, NameIndex

TARGET = "https://data.example.org/42"
MARK = "<img src=zz onerror=zz>"
"""Shown as it is, it would be markup."""

AWKWARD = [
    *"/%?#&;=+:@!$'()*,[]{}|\\^`\"<>~.-_ ",
    "\r\n",
    "\r\nx-injected: 1\r\n\r\n",
    "\t",
    "\x00",
    "\x7f",
    "..",
    "../",
    "//evil.test",
    "@evil.test",
    "\\\\evil.test",
    "javascript:alert(1)",
    "https://evil.test/",
    MARK,
    "%2e%2e%2f",
    "%0d%0a",
    "\u2028",
    "é",
    "日本",
    "😀",
    "\u202e",
    "${data}",
    "{{7*7}}",
    "' OR 1=1 --",
]
PIECES = st.sampled_from(AWKWARD) | st.text(alphabet=st.characters(codec="utf-8"), max_size=6)
SUFFIXES = st.lists(PIECES, max_size=8).map("".join) | PIECES.map(lambda one: (one * 2000)[:2000])
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "noredirect",
                "info",
                "format",
                "style",
                "locale",
                "locatt",
                "urlappend",
                "type",
                "index",
                "auth",
                "pretty",
                "callback",
                "url",
            ]
        ),
        PIECES,
    ),
    max_size=3,
)
ACCEPTS = st.sampled_from(
    [
        "*/*",
        "text/html,*/*;q=0.8",
        "text/x-bibliography; style=../../etc/passwd",
        'text/x-bibliography; style="\\"; locale=..',
        "application/vnd.citationstyles.csl+json;q=0.5, text/turtle;q=" + "9" * 50,
        ',;="' * 30,
        "application/json",
    ]
)


class Names:
    """Something to begin hostile names with."""

    def __init__(self, http: httpx.AsyncClient, index: NameIndex, bases: list[str]) -> None:
        self.http, self.index, self.bases = http, index, bases


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def names(start_pid):
    """A service with a target, a tombstone, and a handle that passes suffixes on."""
    template = (
        '<namespace><template delimiter="/"><foreach><if value="type" test="equals" expression="URL">'
        '<value data="${data}/${extension}"/></if><else><value/></else></foreach></template></namespace>'
    )
    async with start_pid() as pid:
        live = await pid.mint(target=TARGET, metadata={"note": MARK})
        gone = await pid.mint(target=TARGET)
        headers = {**pid.auth("pid:mint"), "if-match": "*"}
        params = {"reason": MARK, "citation": MARK}
        await pid.http.delete(f"/api/identifiers/{gone['handle']}", params=params, headers=headers)
        values = [
            {"index": 1, "type": "URL", "data": TARGET},
            {"index": 9, "type": "HS_NAMESPACE", "data": template},
        ]
        made = await pid.http.put("/api/handles/21.T99999/base", json=values, headers=pid.auth("pid:mint"))
        assert made.status_code == 201
        yield Names(
            pid.http,
            pid.index,
            [
                live["handle"],
                live["ark"],
                gone["handle"],
                gone["ark"],
                "21.T99999/base/",
                "21.T99999/",
                "10.5072/",
                "10.1002/",
                "ark:/99999/",
                "0.NA/",
            ],
        )


async def ask(names: Names, method: str, path: str, query: list[tuple[str, str]], accept: str, *, raw: bool):
    """Send ``path`` with everything percent-encoded, or (``raw``) with all that a request line can hold as it is."""
    safe = "/:!$&'()*+,;=@<>\"{}|\\^`[]%" if raw else "/:"
    told = "&".join(f"{name}={quote(value, safe='')}" for name, value in query)
    url = names.http.base_url.copy_with(raw_path=f"{quote(path, safe=safe)}?{told}".encode())
    return await names.http.send(names.http.build_request(method, url, headers={"accept": accept}))


def check(answer: httpx.Response, host: str) -> None:
    """What holds for every answer to a name."""
    assert answer.status_code < 500, answer.text
    assert "x-injected" not in answer.headers
    if "location" in answer.headers:
        place = urlsplit(answer.headers["location"])
        assert place.scheme in {"http", "https"}
        assert place.hostname in {"data.example.org", host}
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert MARK not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


@given(data=st.data(), suffix=SUFFIXES, query=QUERIES, accept=ACCEPTS, raw=st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_name_harms_the_resolver(names, data, suffix, query, accept, raw):
    path = f"/{data.draw(st.sampled_from(names.bases))}{suffix}"
    for method in ("GET", "HEAD"):
        answer = await ask(names, method, path, query, accept, raw=raw)
        check(answer, names.http.base_url.host)


@given(data=st.data(), suffix=SUFFIXES, accept=ACCEPTS, raw=st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_name_harms_the_resolver_without_its_database(names, data, suffix, accept, raw):
    base = data.draw(st.sampled_from(names.bases))
    for method in ("GET", "HEAD"):
        names.index.mode = Mode.CUT_OFF  # until its keeper looks again
        answer = await ask(names, method, f"/{base}{suffix}", [], accept, raw=raw)
        if answer.status_code != 503:
            check(answer, names.http.base_url.host)
        else:
            assert answer.headers["retry-after"] == "2"


@given(data=st.data(), suffix=SUFFIXES, query=QUERIES, raw=st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_name_harms_the_handle_api(names, data, suffix, query, raw):
    base = data.draw(st.sampled_from(names.bases))
    for room in ("/api/handles", "/api/identifiers", "/api/dois"):
        answer = await ask(names, "GET", f"{room}/{base}{suffix}", query, "text/html", raw=raw)
        check(answer, names.http.base_url.host)
        assert not answer.is_redirect
        assert answer.headers["content-type"].partition(";")[0] in {"application/json", "application/problem+json"}


async def test_a_name_as_long_as_allowed_and_one_longer(names):
    for room in ("", "/api/handles"):
        for size, statuses in ((2048, {404}), (2049, {422})):
            name = "21.T99999/".ljust(size, "x")
            assert (await names.http.get(f"{room}/{name}")).status_code in statuses, (room, size)
