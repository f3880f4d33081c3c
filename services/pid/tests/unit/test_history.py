from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_contracts.repository import RecordSnapshot
from indigo_pid.domain.canonical import canonical
from indigo_pid.domain.history import Change, Entry, clock_doubts, first_break, record_digest
from indigo_pid.domain.identifier import Identifier, Owner
from indigo_pid.domain.names import Naming
from pydantic import Field

NAMING = Naming("21.T99999", "10.5072", "99999", "https://pid.example.org")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANA = Owner("https://issuer.example.org", "ana")


def lived() -> tuple[Identifier, list[Entry]]:
    """An identifier with three entries."""
    identifier = Identifier.mint(NAMING, "b0", now=NOW, owner=ANA, metadata={"a": [1.0, "é"]})
    entries = []
    for change, act in (
        (Change.MINTED, lambda one: one),
        (Change.UPDATED, lambda one: one.direct("https://x.example.org/", now=NOW + timedelta(days=1))),
        (Change.TOMBSTONED, lambda one: one.tombstone("lost", now=NOW + timedelta(days=2))),
    ):
        identifier = act(identifier)
        entries.append(Entry.of(identifier, change, ANA))
        identifier = replace(identifier, head=entries[-1].hash)
    return identifier, entries


def test_a_chain_holds():
    identifier, entries = lived()
    assert first_break(entries, identifier) is None
    assert entries[0].claims["previous"] == "0" * 64
    assert [one.claims["change"] for one in entries] == ["minted", "updated", "tombstoned"]
    assert "ana" not in entries[0].content


def old_form(entry: Entry) -> Entry:
    """The same change as an entry of the first form."""
    import hashlib

    new = {"form", "citation", "doi", "record_sha256"}
    content = canonical({name: one for name, one in entry.claims.items() if name not in new})
    return replace(entry, content=content, hash=hashlib.sha256(content.encode()).hexdigest())


def test_a_chain_of_the_first_form_goes_on_in_the_second():
    identifier = Identifier.mint(NAMING, "b0", now=NOW)
    first = old_form(Entry.of(identifier, Change.MINTED, None))
    identifier = replace(identifier, head=first.hash)
    assert first_break([first], identifier) is None
    identifier = identifier.direct("https://x.example.org/", now=NOW)
    second = Entry.of(identifier, Change.UPDATED, None)
    identifier = replace(identifier, head=second.hash)
    assert second.claims["form"] == 2
    assert first_break([first, second], identifier) is None
    back = old_form(Entry.of(replace(identifier, version=3), Change.UPDATED, None))
    told = first_break([first, second, back], replace(identifier, version=3, head=back.hash))
    assert told == "version 3 is of a form that cannot be there"


def test_the_record_is_in_the_chain(record):
    identifier = Identifier.mint(NAMING, "b0", now=NOW, record=record())
    entry = Entry.of(identifier, Change.MINTED, None)
    identifier = replace(identifier, head=entry.hash)
    assert first_break([entry], identifier) is None
    retitled = replace(identifier, record=identifier.record.model_copy(update={"title": "Other"}))
    assert first_break([entry], retitled) == "record_sha256 was changed without an entry"
    newer = replace(identifier, record=identifier.record.model_copy(update={"version": 9}))
    assert first_break([entry], newer) is None


def test_members_a_record_gets_one_day_change_no_digest(record):
    class Tomorrow(RecordSnapshot):
        funding: str | None = None
        notes: list[str] = Field(default_factory=list)

    today = record()
    assert record_digest(Tomorrow(**today.model_dump())) == record_digest(today)
    assert record_digest(Tomorrow(**today.model_dump(), funding="x")) != record_digest(today)


def test_a_clock_that_lies_breaks_no_order_and_is_seen():
    identifier = Identifier.mint(NAMING, "b0", now=NOW)
    entries = []
    for days in (0, 40_000, -1):
        identifier = identifier.direct(f"https://x.example.org/{days}", now=NOW + timedelta(days=days))
        entries.append(Entry.of(identifier, Change.UPDATED, None))
        identifier = replace(identifier, head=entries[-1].hash)
    assert first_break(entries, identifier) is None
    early, late = clock_doubts(entries, now=NOW + timedelta(days=1))[::-1]
    assert early.startswith("version 4 says 2025-12-31T")
    assert "earlier than the entry before it" in early
    assert late.startswith("version 3 says 2135-")
    assert "still to come" in late
    assert clock_doubts(lived()[1], now=NOW + timedelta(days=2, minutes=-4)) == []


def test_the_content_is_canonical():
    for entry in lived()[1]:
        assert entry.content == canonical(json.loads(entry.content))


def forged(entry: Entry, **claims) -> Entry:
    """An entry with other claims and a hash that fits them."""
    import hashlib

    content = canonical({**entry.claims, **claims})
    return replace(entry, content=content, hash=hashlib.sha256(content.encode()).hexdigest())


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (
            lambda e: [e[0], replace(e[1], content=e[1].content.replace("x.example", "y.example")), e[2]],
            "version 2",
        ),
        (lambda e: [e[0], forged(e[1], target="https://y.example.org/"), e[2]], "version 3 does not follow"),
        (lambda e: [e[0], e[2]], "version 3 does not follow"),
        (lambda e: e[1:], "version 2 does not follow"),
        (lambda e: e[:2], "last entry"),
        (lambda e: [], "last entry"),
        (lambda e: [*e[:2], forged(e[2], reason="sold")], "last entry"),
        (lambda e: [e[1], e[0], e[2]], "version 2 does not follow"),
        (lambda e: [replace(e[0], version=7), *e[1:]], "about something else"),
    ],
)
def test_tampering_with_the_history_is_seen(tamper, told):
    identifier, entries = lived()
    assert told in (first_break(tamper(entries), identifier) or "")


@pytest.mark.parametrize(
    "change",
    [
        {"target": "https://evil.test/"},
        {"reason": "x"},
        {"version": 9},
        {"metadata": {"a": 2}},
        {"concept": "c"},
        {"citation": "x"},
        {"doi": "10.5072/y"},
    ],
)
def test_tampering_with_the_identifier_is_seen(change):
    identifier, entries = lived()
    assert "without an entry" in (first_break(entries, replace(identifier, **change)) or "")


def test_metadata_is_the_same_after_a_database():
    identifier, entries = lived()
    assert first_break(entries, replace(identifier, metadata={"a": [1, "é"]})) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (333333333.33333329, "333333333.3333333"),
        (1e30, "1e+30"),
        (4.50, "4.5"),
        (2e-3, "0.002"),
        (0.000000000000000000000000001, "1e-27"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (-0.0, "0"),
        (9007199254740993, "9007199254740992"),
        ('€$\u000f\nA\'B"\\\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
        (
            {"\u20ac": 1, "\r": 2, "\U0001f600": 3, "\ufb33": 4, "1": True},
            '{"\\r":2,"1":true,"€":1,"😀":3,"\ufb33":4}',
        ),
    ],
)
def test_canonical_json(value, text):
    """Values of RFC 8785, 3.2.2 to 3.2.3, and the borders of ECMAScript's exponents."""
    assert canonical(value) == text


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON)
def test_canonical_json_says_the_same_and_stays_as_it_is(value):
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, {1, 2}])
def test_what_json_does_not_know(value):
    with pytest.raises(ValueError, match=r"JSON|large"):
        canonical(value)
