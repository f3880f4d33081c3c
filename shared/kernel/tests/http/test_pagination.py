from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_contracts.problems import BASE
from indigo_kernel.http.errors import InvalidParameter
from indigo_kernel.pagination import Cursors

KEY = b"sixteen bytes or more"

parts = st.text(st.characters(exclude_categories=["Cs"])) | st.integers() | st.datetimes(timezones=st.just(UTC))


@given(st.lists(parts, min_size=1, max_size=4), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_position_comes_back(position: list, listing: str) -> None:
    cursors = Cursors(KEY)
    assert cursors.read(cursors.write(tuple(position), listing), listing) == tuple(position)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_cursor_is_refused(at: int, by: int) -> None:
    cursors = Cursors(KEY)
    cursor = bytearray(cursors.write((datetime(2026, 1, 1, tzinfo=UTC), "id"), "/plans?").encode())
    cursor[at % len(cursor)] ^= by
    changed = cursor.decode("latin-1")
    with contextlib.suppress(InvalidParameter):
        # The last character has bits nothing depends on; decoding them differently changes nothing.
        assert cursors.read(changed, "/plans?") == (datetime(2026, 1, 1, tzinfo=UTC), "id")


@pytest.mark.parametrize("cursor", ["", "a", "é", "AAAA", "A" * 2000, "====", "....", "-_-_"])
def test_a_forged_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidParameter):
        Cursors(KEY).read(cursor, "/plans?")


def test_a_cursor_belongs_to_its_listing_and_key() -> None:
    cursor = Cursors(KEY).write((1,), "/plans?state=draft")
    for cursors, listing in ((Cursors(KEY), "/plans?"), (Cursors(KEY + b"!"), "/plans?state=draft")):
        with pytest.raises(InvalidParameter):
            cursors.read(cursor, listing)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Cursors(b"short")


async def keep(client, count: int) -> None:
    for number in range(count):
        await client.post("/notes", json={"title": f"Note {'even' if number % 2 else 'odd'}"})


async def test_walking_by_cursor_meets_everything_once(client) -> None:
    await keep(client, 7)
    met, cursor, pages = [], "", 0
    while True:
        page = (await client.get("/notes", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
        met += [one["id"] for one in page["items"]]
        pages += 1
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert (met, pages) == ([1, 2, 3, 4, 5, 6, 7], 3)


async def test_the_link_leads_on_with_filters(client) -> None:
    await keep(client, 6)
    answer = await client.get("/notes", params={"limit": 2, "word": "odd"})
    link = answer.links["next"]["url"]
    assert link.startswith("https://demo.example.org/demo/notes?word=odd&limit=2&cursor=")
    following = await client.get("/notes?" + urlsplit(link).query)
    assert [one["id"] for one in following.json()["items"]] == [5]
    assert "next" not in following.links
    cursor = answer.json()["next_cursor"]
    other = await client.get("/notes", params={"cursor": cursor, "word": "even"})
    assert other.status_code == 422


async def test_a_full_last_page_is_the_last(client) -> None:
    await keep(client, 2)
    assert (await client.get("/notes?limit=2")).json()["next_cursor"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=AAAA", "cursor=%C3%A9"])
async def test_wrong_parameters_are_422(client, query: str) -> None:
    answer = await client.get(f"/notes?{query}")
    assert answer.status_code == 422
    assert answer.json()["type"] == BASE + "invalid-parameter"
    assert answer.json()["errors"][0]["pointer"] == "/query/" + query.split("=", maxsplit=1)[0]
