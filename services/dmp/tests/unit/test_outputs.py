"""Outputs are read out of the document, and keep their keys."""

import copy
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_contracts.dmp import OutputKind, PlannedOutput
from indigo_dmp.domain.outputs import identifier_uri, planned_outputs, slug, with_keys


def dataset(title: str, identifier: str = "", **more: Any) -> dict[str, Any]:
    return {
        "title": title,
        "dataset_id": {"identifier": identifier, "type": "other"},
        "personal_data": "no",
        "sensitive_data": "no",
        **more,
    }


def document(*datasets: dict[str, Any]) -> dict[str, Any]:
    contact = {"name": "Ada", "mbox": "a@b.org", "contact_id": {"identifier": "", "type": "other"}}
    return {"dmp": {"contact": contact, "dataset": list(datasets)}}


def keys(plan: dict[str, Any]) -> list[str]:
    return [one["indigo"]["key"] for one in plan["dmp"]["dataset"]]


def test_an_output_says_what_the_dataset_says(plan: dict[str, Any]) -> None:
    counts, summing = planned_outputs(plan)
    assert counts.key == "counts"
    assert counts.kind is OutputKind.DATASET
    assert counts.due == date(2026, 6, 30)
    assert counts.license == "https://creativecommons.org/licenses/by/4.0/"
    assert counts.access == "open"
    assert counts.formats == ["text/csv"]
    assert counts.byte_size == 1000
    assert counts.storage is not None
    assert [test.key for test in counts.tests] == ["there", "columns", "totals"]
    assert counts.creators[0].identifier == "https://orcid.org/0000-0002-1825-0097"
    assert (summing.key, summing.kind) == ("summing", OutputKind.SOFTWARE)


def test_reused_data_is_not_promised() -> None:
    plan = document(dataset("Old"), dataset("New"))
    plan["dmp"]["dataset"][0]["is_reused"] = True
    assert [output.key for output in planned_outputs(plan)] == ["new"]


@pytest.mark.parametrize(
    ("word", "access"), [("shared", "restricted"), ("restricted", "restricted"), ("closed", "closed")]
)
def test_access(word: str, access: str) -> None:
    plan = document(dataset("A", distribution=[{"title": "x", "data_access": word}]))
    assert planned_outputs(plan)[0].access == access


def test_keys_survive_a_tool_that_drops_the_extension() -> None:
    before = with_keys(document(dataset("Beetles", "1"), dataset("Moths", "2"), dataset("Moths", "")))
    assert keys(before) == ["beetles", "moths", "moths-2"]
    # Titles change, order changes, the extension is gone: the dataset_id still tells which is which.
    after = with_keys(document(dataset("Moths of the night", "2"), dataset("Beetles", "1")), before)
    assert keys(after) == ["moths", "beetles"]


def test_a_key_that_was_in_use_is_not_given_to_another_output() -> None:
    before = with_keys(document(dataset("Moths", "1", indigo={"key": "new"})))
    after = with_keys(document(dataset("New", "2")), before)
    assert keys(after) == ["new-2"]


def test_the_sent_key_wins() -> None:
    before = with_keys(document(dataset("A", "1")))
    after = with_keys(document(dataset("A", "1", indigo={"key": "b"}), dataset("B", "2")), before)
    assert keys(after) == ["b", "b-2"]


@given(st.lists(st.text(max_size=80), max_size=8))
def test_keys_are_valid_and_unique_whatever_the_titles_are(titles: list[str]) -> None:
    plan = with_keys(document(*(dataset(title) for title in titles)))
    found = keys(plan)
    assert len(set(found)) == len(found)
    for key, title in zip(found, titles, strict=True):
        PlannedOutput(key=key, kind=OutputKind.DATASET, title=title)
    assert with_keys(plan, plan) == plan
    without = copy.deepcopy(plan)
    for one in without["dmp"]["dataset"]:
        del one["indigo"]
    if len(set(map(str.strip, titles))) == len(titles):
        assert keys(with_keys(without, plan)) == found


def test_slug() -> None:
    assert slug("Käfer & Größen, 2026!") == "kafer-groen-2026"
    assert slug("甲虫") == "output"


def test_identifiers_become_uris() -> None:
    assert identifier_uri({"identifier": "03yrm5c26", "type": "ror"}) == "https://ror.org/03yrm5c26"
    assert identifier_uri({"identifier": "https://x.org/1", "type": "orcid"}) == "https://x.org/1"
    assert identifier_uri({"identifier": " ", "type": "other"}) is None
