from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_contracts.pid import IdentifierState
from indigo_contracts.repository import Identifiers, RecordKind, RecordState
from indigo_kernel.problems import Conflict
from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.merge import merge_patch
from indigo_pid.domain.names import Naming
from indigo_pid.domain.suffix import new_suffix

NAMING = Naming("21.T99999", "10.5072", "99999", "https://pid.example.org")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TARGET = "https://data.example.org/1"


def minted(**fields) -> Identifier:
    return Identifier.mint(NAMING, new_suffix("99999"), now=NOW, **fields)


def test_a_target_activates_and_the_same_target_changes_nothing():
    identifier = minted()
    active = identifier.direct(TARGET, now=NOW)
    assert (active.state, active.version) == (IdentifierState.ACTIVE, 2)
    assert active.direct(TARGET, now=NOW) is active


def test_only_identifiers_of_records_have_a_doi(record):
    assert minted().doi is None
    of_record = minted(record=record(kind=RecordKind.SOFTWARE))
    assert of_record.doi
    assert of_record.doi.startswith("10.5072/")
    assert of_record.kind is RecordKind.SOFTWARE


def test_nothing_changes_a_tombstone():
    gone = minted().direct(TARGET, now=NOW).tombstone("lost", now=NOW)
    for change in (
        lambda: gone.direct(TARGET, now=NOW),
        lambda: gone.describe({"a": 1}, now=NOW),
        lambda: gone.tombstone("again", now=NOW),
    ):
        with pytest.raises(Conflict):
            change()


def test_a_withdrawn_record_does_not_come_back(record):
    withdrawn = record(state=RecordState.WITHDRAWN, version=3)
    gone = minted(record=withdrawn).follow(withdrawn, TARGET, reason="wrong", now=NOW)
    with pytest.raises(Conflict):
        gone.follow(record(state=RecordState.PUBLISHED, version=4), TARGET, reason=None, now=NOW)


def test_being_told_its_own_names_is_no_change(record):
    published = record(state=RecordState.PUBLISHED, version=2)
    active = minted(record=record()).follow(published, TARGET, reason=None, now=NOW)
    told = published.model_copy(update={"version": 3, "identifiers": Identifiers(handle=active.handle)})
    assert active.is_news(told)
    followed = active.follow(told, TARGET, reason=None, now=NOW)
    assert followed.version == active.version
    assert not followed.is_news(told)


@given(st.permutations([0, 1, 2, 3]))
def test_news_in_any_order_end_the_same(order):
    from indigo_contracts.repository import RecordSnapshot

    def at(version: int) -> RecordSnapshot:
        states = [RecordState.DRAFT, RecordState.PUBLISHED, RecordState.PUBLISHED, RecordState.WITHDRAWN]
        return RecordSnapshot(
            record_id="r",
            kind=RecordKind.DATASET,
            state=states[version],
            version=version,
            title=f"Title {version}",
            publisher="P",
            url=TARGET,
            api_url=TARGET,
        )

    identifier = minted(record=at(order[0])).follow(at(order[0]), TARGET, reason="r", now=NOW)
    for version in order[1:]:
        if identifier.is_news(at(version)):
            identifier = identifier.follow(at(version), TARGET, reason="r", now=NOW)
    assert identifier.state is IdentifierState.TOMBSTONED
    assert identifier.record is not None
    assert identifier.record.title == "Title 3"
    assert identifier.reason == "r"


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target, patch, result):
    assert merge_patch(target, patch) == result
