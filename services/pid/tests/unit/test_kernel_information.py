from __future__ import annotations

from datetime import UTC, datetime

import pytest
from indigo_pid.domain.handle_values import InvalidValue, merged, read_values
from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.kernel_information import KERNEL_TYPES, kernel_information, missing
from indigo_pid.domain.names import Naming

NAMING = Naming("21.T99999", "10.5072", "99999", "https://pid.example.org")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TYPE = {one.name: one.type for one in KERNEL_TYPES}
GOOD = {
    "kernelInformationProfile": "21.T11148/301c6f04763a16f0f72a",
    "digitalObjectType": "21.T11148/ca9fd0b2414177b79ac2",
    "digitalObjectLocation": "https://data.example.org/42",
    "digitalObjectPolicy": "https://example.org/policy",
    "etag": '{"sha256sum": "sha256 c50624fd"}',
    "dateModified": "2026-01-01T10:00:00+01:00",
    "dateCreated": "2025-12",
    "version": "1.2",
    "wasDerivedFrom": "https://hdl.handle.net/21.T99999/y",
}


def values(**told):
    return [
        {"index": number, "type": TYPE[name].upper(), "data": value}
        for number, (name, value) in enumerate(told.items(), start=1)
    ]


def written(**told) -> Identifier:
    return Identifier.mint(NAMING, "x", now=NOW).write(read_values(values(**told), now=NOW), None, now=NOW)


def test_typed_records_are_read_back_in_order():
    identifier = written(**dict(reversed(GOOD.items())))
    entries = kernel_information(identifier)
    assert {one.name: one.value for one in entries} == GOOD
    assert [one.name for one in entries] == list(GOOD)
    assert missing(entries) == []


def test_what_a_profile_asks_for_and_is_not_there():
    told = {name: GOOD[name] for name in ("kernelInformationProfile", "dateCreated")}
    entries = kernel_information(written(**told))
    assert missing(entries) == ["digitalObjectType", "digitalObjectLocation", "digitalObjectPolicy", "etag"]
    assert missing(kernel_information(written(dateCreated="2026"))) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kernelInformationProfile", "my profile"),
        ("digitalObjectType", ""),
        ("digitalObjectLocation", "javascript:alert(1)"),
        ("digitalObjectLocation", {"format": "vlist", "value": []}),
        ("dateCreated", "yesterday"),
        ("dateModified", "2026-13-01"),
        ("etag", " "),
        ("wasDerivedFrom", "x"),
    ],
)
def test_what_is_not_of_its_type(name, value):
    with pytest.raises(InvalidValue, match=name):
        read_values(values(**{name: value}), now=NOW)


def test_what_may_be_there_once():
    two = [*values(version="1"), {"index": 9, "type": TYPE["version"], "data": "2"}]
    with pytest.raises(InvalidValue, match="version may be there once"):
        read_values(two, now=NOW)
    with pytest.raises(InvalidValue, match="once"):
        merged(read_values(two[:1], now=NOW), read_values(two[1:], now=NOW))
    places = [
        {"index": n, "type": TYPE["digitalObjectLocation"], "data": f"https://x.example.org/{n}"} for n in (1, 2)
    ]
    assert len(read_values(places, now=NOW)) == 2


def test_of_one_nobody_wrote_to_what_is_known(record):
    identifier = Identifier.mint(NAMING, "x", now=NOW, record=record(edition=3))
    told = {one.name: one.value for one in kernel_information(identifier)}
    assert told == {"dateModified": NOW.isoformat(), "dateCreated": NOW.isoformat(), "version": "3"}
