from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_pid.domain.canonical import canonical
from indigo_pid.domain.history import Change, Entry, first_break
from indigo_pid.domain.identifier import Identifier, Owner
from indigo_pid.domain.names import Naming

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
    [{"target": "https://evil.test/"}, {"reason": "x"}, {"version": 9}, {"metadata": {"a": 2}}, {"concept": "c"}],
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
