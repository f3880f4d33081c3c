"""Negotiation, query strings and error words of the common maDMP API."""

from datetime import UTC, datetime

import pytest
from indigo_contracts.problems import BASE
from indigo_dmp.api import common_query, media
from indigo_dmp.api.common_errors import is_common, told
from indigo_kernel.http.errors import InvalidParameter
from indigo_kernel.problems import NotAcceptable, UnsupportedMediaType

V12 = media.madmp("1.2")
V13 = media.madmp("1.3")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, media.JSON),
        ("", media.JSON),
        ("*/*", media.JSON),
        ("application/*", media.JSON),
        (V13, V13),
        (V12.upper(), V12),
        (f"{V12};q=0.5, {V13}", V13),
        (f"{V13};q=0.5, {V12};q=0.6", V12),
        (f"application/json;q=0, {V13};q=0.001", V13),
        ("text/html, */*;q=0.1", media.JSON),
        (f"*/*, {media.JSON};q=0", V12),
    ],
)
def test_the_best_offer_is_chosen(accept: str | None, chosen: str) -> None:
    assert media.negotiate(accept) == chosen


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", f"{V13};q=2", media.madmp("1.1")])
def test_nothing_to_offer(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        media.negotiate(accept)


@pytest.mark.parametrize(
    ("content_type", "version"),
    [
        ("application/json", "1.2"),
        ('application/json; charset="UTF-8"', "1.2"),
        (V13, "1.3"),
        (media.madmp("1.0"), "1.0"),
    ],
)
def test_versions_that_are_read(content_type: str, version: str) -> None:
    assert media.read_version(content_type) == version


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", media.madmp("2.0"), "application/json;charset=latin-1"]
)
def test_versions_that_are_not_read(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaType):
        media.read_version(content_type)


def test_a_query_is_read_with_and_without_brackets() -> None:
    search = common_query.parse(
        [
            ("languages", "eng"),
            ("languages[]", "deu"),
            ("created_after", "2026-01-01T00:00:00"),
            ("modified_before", "2026-01-01T01:00:00 01:00"),
            ("sort[]", "title,asc"),
            ("ethical_issues_exist", "true"),
            ("count", "5"),
        ]
    )
    assert search.values == {"languages": ("eng", "deu"), "ethical_issues_exist": ("yes",)}
    assert search.created_after == search.modified_before == datetime(2026, 1, 1, tzinfo=UTC)
    assert search.sort == (("title", False),)
    assert (search.offset, search.count) == (0, 5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("colour", "red"), ("languages", "english"), ("languages", ""), ("funding_status", "maybe"), ("count", "101"),
        ("count", "0"), ("count", "-1"), ("count", "²"), ("offset", "99999999999999999999"), ("offset", "one"),
        ("sort", "title"), ("sort", "embargo,asc"), ("created_before", "yesterday"), ("created_before", "2026-01-01"),
        ("created_before", "0001-01-01T00:00:00+14:00"), ("query", "x" * 501), ("query", " "),
    ],
)  # fmt: skip
def test_what_a_query_cannot_say(name: str, value: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        common_query.parse([(name, value)])
    assert caught.value.errors[0].pointer == f"/query/{name}"


def test_an_instant_is_given_once() -> None:
    with pytest.raises(InvalidParameter):
        common_query.parse([("created_before", "2026-01-01T00:00:00Z")] * 2)


def test_problems_in_the_words_of_the_common_api() -> None:
    status, body = told({"type": BASE + "precondition-failed", "title": "t", "status": 412, "detail": "d"})
    assert (status, body) == (409, {"error_code": "dmp_stale", "error_message": "d"})
    status, body = told({"type": BASE + "gone", "title": "Withdrawn", "status": 410})
    assert (status, body) == (410, {"error_code": "generic_error", "error_message": "Withdrawn"})
    assert is_common("/dmps/x/y")
    assert not is_common("/dmpsx")
