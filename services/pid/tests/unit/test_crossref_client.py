"""What the client of Crossref says of an answer."""

from __future__ import annotations

from html import escape
from urllib.parse import quote, quote_plus, unquote_plus

import httpx
import pytest
from indigo_kernel.clock import ManualClock
from indigo_pid.adapters.crossref.client import CrossrefClient
from indigo_pid.application.ports import RegistrarDown
from starlette.responses import HTMLResponse

SECRET = "né <&'\"/+?% a"


async def reason(show) -> str:
    """What is told of a page that ``show``s the query of the request."""

    async def complain(scope, receive, send) -> None:
        page = f"<h1>Bad</h1>No access with {show(scope['query_string'].decode())} today"
        await HTMLResponse(page, 502)(scope, receive, send)

    transport = httpx.ASGITransport(app=complain)
    async with httpx.AsyncClient(transport=transport, base_url="http://crossref") as http:
        client = CrossrefClient(http, http, ManualClock(), "role", lambda: SECRET, "ops@example.org")
        with pytest.raises(RegistrarDown) as down:
            await client.report("batch")
    return down.value.reason


def password(query: str) -> str:
    """The password as the request has it."""
    return query.partition("pwd=")[2].partition("&")[0]


@pytest.mark.parametrize(
    "show",
    [
        lambda query: query,
        unquote_plus,
        lambda query: escape(unquote_plus(query)),
        lambda query: escape(unquote_plus(query)).replace("&#x27;", "&#39;"),
        lambda query: quote(unquote_plus(password(query))),
        lambda query: quote(unquote_plus(password(query)), safe="").lower(),
        lambda query: quote_plus(unquote_plus(password(query)), safe="/"),
    ],
)
async def test_the_password_is_not_told_however_a_page_shows_it(show):
    told = await reason(show)
    assert told.startswith("502 Bad No access with ")
    assert "…" in told
    for part in ("né", "n%C3", "n%c3", "%3C", "&lt;", "quot;"):
        assert part not in told
