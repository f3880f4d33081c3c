from __future__ import annotations

import pytest
from indigo_kernel.etag import etag, parse_if_match
from indigo_kernel.problems import BadRequest, StaleVersion

NOTE = {"title": "On rivers"}


@pytest.mark.parametrize(
    ("value", "versions"),
    [
        ('"v3"', {3}),
        (' "v3" , "v4"', {3, 4}),
        ('"v1","other"', {1}),
        ('W/"v3"', set()),
        ('"3"', set()),
        ('"v03"', set()),
        ('"v3x"', set()),
        ('"v99999999999999999999"', set()),
    ],
)
def test_if_match_is_read(value: str, versions: set[int]) -> None:
    assert parse_if_match(value).versions == versions


@pytest.mark.parametrize("value", ["", "v3", '"v3', '"v3" "v4"', '"v3",', "*, *", '"v\x003"'])
def test_what_is_no_list_of_tags_is_refused(value: str) -> None:
    with pytest.raises(BadRequest):
        parse_if_match(value)


def test_a_star_matches_any_version() -> None:
    parse_if_match("*").check(17)


def test_a_stale_version_tells_the_current_one() -> None:
    with pytest.raises(StaleVersion) as raised:
        parse_if_match('"v3"').check(4)
    assert raised.value.headers == {"etag": '"v4"'}
    assert raised.value.extra == {"current_version": 4}
    assert etag(4) == '"v4"'


async def test_a_change_needs_the_version(client) -> None:
    await client.post("/notes", json=NOTE)
    assert (await client.put("/notes/1", json=NOTE)).status_code == 428
    changed = await client.put("/notes/1", json=NOTE, headers={"if-match": '"v1"'})
    assert changed.json()["version"] == 2
    stale = await client.put("/notes/1", json=NOTE, headers={"if-match": '"v1"'})
    assert stale.status_code == 412
    assert stale.headers["etag"] == '"v2"'
    assert stale.json()["current_version"] == 2
    assert (await client.put("/notes/1", json=NOTE, headers={"if-match": "*"})).json()["version"] == 3


@pytest.mark.parametrize(
    ("value", "status"),
    [('"v1"', 304), ('W/"v1"', 304), ('"v7", "v1"', 304), ("*", 304), ('"v2"', 200), ('"v11"', 200)],
)
async def test_what_is_known_is_not_sent_again(client, value: str, status: int) -> None:
    await client.post("/notes", json=NOTE)
    answer = await client.get("/notes/1", headers={"if-none-match": value})
    assert answer.status_code == status
    assert answer.headers["etag"] == '"v1"'
    assert bool(answer.content) == (status == 200)
