from __future__ import annotations

import pytest
from indigo_contracts.dmp import PlannedOutput
from indigo_contracts.repository import RecordSnapshot
from indigo_contracts.text import storable_text
from indigo_integrity.application.levels.content import matches
from indigo_integrity.domain.storable import storable
from indigo_integrity.domain.subject import fixity_subject, subjects_of

STRUCTURE = {"tables": [{"name": "t", "path": "a.csv", "fields": [{"name": "n"}]}]}
TESTS = [
    {"key": "there", "level": "existence"},
    {"key": "described", "level": "metadata"},
    {"key": "shaped", "level": "content"},
    {
        "key": "reproduced",
        "level": "processing",
        "software": "tool",
        "command": ["x"],
        "outputs": [{"path": "o", "compare": "exists"}],
    },
]


def an_output(**changes) -> PlannedOutput:
    values = {"key": "water", "kind": "dataset", "title": "W", "structure": STRUCTURE, "tests": TESTS}
    return PlannedOutput.model_validate(values | changes)


def a_record(**changes) -> RecordSnapshot:
    values = {"kind": "dataset", "state": "published", "title": "W", "publisher": "P", "url": "u", "api_url": "u"}
    return RecordSnapshot.model_validate({"record_id": "r1", "version": 1, **values} | changes)


def keys(output: PlannedOutput, record: RecordSnapshot, **records: RecordSnapshot) -> dict[str, str]:
    return {each.test: each.key for each in subjects_of(output, record, records)}


def test_processing_waits_for_software() -> None:
    assert set(keys(an_output(), a_record())) == {"there", "described", "shaped"}
    assert "reproduced" in keys(an_output(), a_record(), tool=a_record(record_id="s1"))


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ({"structure": {"tables": [STRUCTURE["tables"][0] | {"min_rows": 1}]}}, {"shaped"}),
        ({"license": "https://spdx.org/licenses/MIT"}, {"described"}),
        ({"description": "more words"}, set()),
        ({"tests": [TESTS[0] | {"min_bytes": 5}, *TESTS[1:]]}, {"there"}),
    ],
)
def test_what_changes_a_run(changed, again) -> None:
    before = keys(an_output(), a_record())
    after = keys(an_output(**changed), a_record())
    assert {test for test in before if before[test] != after[test]} == again


def test_record_and_software_change_a_run() -> None:
    before = keys(an_output(), a_record(), tool=a_record(record_id="s1"))
    assert not set(before.values()) & set(keys(an_output(), a_record(record_id="r2", edition=2)).values())
    after = keys(an_output(), a_record(), tool=a_record(record_id="s2", edition=2))
    assert {test for test in before if before[test] != after[test]} == {"reproduced"}


def test_fixity_is_the_plans_own_test_when_there_is_one() -> None:
    assert fixity_subject(a_record(), an_output()).test == "there"
    assert fixity_subject(a_record(), an_output(tests=[])).test == "fixity"
    assert fixity_subject(a_record(), None).test == "fixity"


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("a.csv", "a.csv", True),
        ("*.csv", "b.csv", True),
        ("*.csv", "data/b.csv", False),
        ("data/?.csv", "data/b.csv", True),
        ("data/*", "data/b/c", False),
        ("a[1].csv", "a[1].csv", True),
        ("a[1].csv", "a1.csv", False),
        ("*.CSV", "a.csv", False),
    ],
)
def test_paths_of_tables(pattern, key, expected) -> None:
    assert matches(pattern, key) is expected


def test_storable() -> None:
    assert storable({"a": [float("nan"), 2**70, "x\0\ud800", True, None, 1.5]}) == {
        "a": ["nan", "an integer of 71 bits", "x\ufffd?", True, None, 1.5]
    }
    assert storable([[[[[[1]]]]]]) == [[[[["…"]]]]]
    assert len(storable(list(range(1000)))) == 100
    assert len(storable_text("x" * 5000)) == 2001
