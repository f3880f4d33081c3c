"""The page about an identifier and the tombstone, in a browser: wide and narrow, light and dark."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from itertools import count
from typing import Any

import httpx
import pytest
import pytest_asyncio
from indigo_contracts.dmp import Person
from indigo_contracts.envelope import Envelope, Fact
from indigo_contracts.repository import RecordKind, RecordPublished, RecordSnapshot, RecordState, RecordWithdrawn
from indigo_kernel.clock import SystemClock
from indigo_kernel.ids import new_id
from indigo_testing.browser import Browser, Seen, assert_whole
from indigo_testing.pid_service import pid_service

NARROW, WIDE = 360, 1280
LONG = "https://data.example.org/" + "a-very-long-path-without-a-place-to-break/" * 6
STATUS = {
    "identifier of a record": 200,
    "identifier nobody described": 200,
    "handle with typed records": 200,
    "tombstone of a client": 410,
    "tombstone of a record": 410,
    "record of what is gone": 200,
    "name nobody knows": 404,
}


class _Service:
    """A running service, and what its pages are about."""

    def __init__(self, http: httpx.AsyncClient, token: str, deliver: Any) -> None:
        self._http, self._token, self._deliver, self._numbers = http, token, deliver, count()

    async def send(self, method: str, path: str, **options: Any) -> Any:
        headers = {"authorization": f"Bearer {self._token}", "idempotency-key": str(next(self._numbers))}
        answer = await self._http.request(method, path, headers=headers | options.pop("headers", {}), **options)
        assert answer.is_success, answer.text
        return answer.json()

    async def mint(self, **body: Any) -> Any:
        return await self.send("POST", "/api/identifiers", json=body)

    async def publish(self, fact: Fact) -> None:
        await self._deliver(
            Envelope.of(
                fact,
                id=new_id(),
                source="https://repository.example.org",
                subject="records/x",
                version=1,
                time=SystemClock().now(),
            )
        )

    async def identifier_of(self, record: RecordSnapshot) -> Any:
        listed = await self.send("GET", "/api/dois", params={"limit": "100"})
        (handle,) = [one["handle"] for one in listed["items"] if one["record_id"] == record.record_id]
        return await self.send("GET", f"/api/identifiers/{handle}")


def _record(record_id: str, **changes: Any) -> RecordSnapshot:
    base = "https://repository.example.org"
    values: dict[str, Any] = {
        "record_id": record_id,
        "kind": RecordKind.DATASET,
        "state": RecordState.PUBLISHED,
        "version": 1,
        "title": "Penguins of the Palmer archipelago: " + "morphometrics, colonies and diet, " * 5,
        "creators": [
            Person(name="Gorman, Kristen", identifier="https://orcid.org/0000-0002-0258-9264", affiliation="UAF"),
            *(Person(name=f"Collaborator, Number {number}") for number in range(12)),
        ],
        "publisher": "INDIGO Preservation Repository",
        "publication_date": date(2026, 1, 1),
        "license": "https://creativecommons.org/publicdomain/zero/1.0/",
        "url": f"{base}/records/{record_id}",
        "api_url": f"{base}/api/records/{record_id}",
    }
    return RecordSnapshot(**{**values, **changes})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pages(tab, make_database, tmp_path_factory) -> AsyncIterator[dict[str, str]]:
    """The addresses of the pages by the names in ``STATUS``."""
    database_url = await make_database("identifier_pages")
    async with pid_service(database_url, tmp_path_factory.mktemp("issuer")) as at:
        token = at.issuer.token("ana", ["pid:mint", "operator", "service"])
        async with httpx.AsyncClient(base_url=at.url) as http:
            yield await _filled(_Service(http, token, at.runtime.subscriptions[0].handler), at.url)


async def _filled(service: _Service, url: str) -> dict[str, str]:
    first, second = _record("r1"), _record("r2", edition=2, previous="r1")
    for one in (first, second):
        await service.publish(RecordPublished(record=one))
    gone = first.model_copy(update={"state": RecordState.WITHDRAWN, "version": 2})
    await service.publish(RecordWithdrawn(record=gone, reason="A sensor was wrong for the whole season."))
    bare, ended = await service.mint(target=LONG), await service.mint(target=LONG, kind="software")
    await service.send(
        "DELETE",
        f"/api/identifiers/{ended['handle']}",
        params={"reason": "lost", "citation": "Ana (2026): " + "Water " * 60, "replacement": bare["handle"]},
        headers={"if-match": "*"},
    )
    typed = [
        {"index": 1, "type": "URL", "data": LONG},
        {"index": 2, "type": "21.T11148/b8457812905b83046284", "data": LONG},
        {"index": 3, "type": "21.T11148/92e200311a56800b3e47", "data": "sha256 " + "0123456789abcdef" * 8},
    ]
    await service.send("PUT", "/api/handles/21.T99999/typed", json=typed)
    newest, withdrawn = await service.identifier_of(second), await service.identifier_of(first)
    return {
        "identifier of a record": f"{url}/{newest['handle']}?noredirect",
        "identifier nobody described": f"{url}/{bare['handle']}?noredirect",
        "handle with typed records": f"{url}/21.T99999/typed?info",
        "tombstone of a client": f"{url}/{ended['handle']}",
        "tombstone of a record": f"{url}/{withdrawn['doi']}",
        "record of what is gone": f"{url}/{withdrawn['handle']}?noredirect",
        "name nobody knows": f"{url}/10.5072/{'never-given-' * 12}",
    }


async def show(tab: Browser, url: str, **how: Any) -> Seen:
    """Show a page; the service runs in this loop, which goes on meanwhile."""
    return await asyncio.to_thread(tab.show, url, **how)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("name", STATUS)
async def test_a_page_is_whole(tab, pages: dict[str, str], name: str, width: int, dark: bool) -> None:
    seen = await show(tab, pages[name], width=width, dark=dark)
    assert_whole(seen, STATUS[name])
    unnamed = tab.value("[...document.querySelectorAll('a')].filter(each => !each.innerText.trim()).length")
    assert unnamed == 0
    assert tab.value("document.querySelectorAll('main').length") == 1
    twice = (
        "[...document.querySelectorAll('[id]')].map(each => each.id).filter((id, n, all) => all.indexOf(id) < n)"
    )
    assert tab.value(twice) == []


async def test_what_a_tombstone_tells(tab, pages: dict[str, str]) -> None:
    text = (await show(tab, pages["tombstone of a client"])).text
    assert "lost" in text
    assert "How to cite what was here" in text
    assert "In its place: 21.T99999/" in text
    text = (await show(tab, pages["tombstone of a record"])).text
    assert "A sensor was wrong for the whole season." in text
    assert "Gorman" in text
    assert "Other versions" in text


async def test_the_links_of_a_tombstone_lead_somewhere(tab, pages: dict[str, str]) -> None:
    await show(tab, pages["tombstone of a client"])
    async with httpx.AsyncClient() as http:
        for address in tab.value("[...document.querySelectorAll('main a')].map(each => each.href)"):
            if address.startswith("http://127.0.0.1"):
                assert (await http.get(address)).status_code in {200, 302}, address
