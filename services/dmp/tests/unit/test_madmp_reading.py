"""Documents are read with tolerance where it is safe, and written in the version that is asked for."""

import copy
from pathlib import Path
from typing import Any

import pytest
from indigo_dmp.madmp.reading import read, schema_errors
from indigo_dmp.madmp.writing import write
from indigo_kernel.problems import InvalidBody


def pointers(body: Any, version: Any = "1.2") -> set[str]:
    with pytest.raises(InvalidBody) as caught:
        read(body, version)
    return {error.pointer for error in caught.value.errors}


def test_unknown_fields_are_kept(plan: dict[str, Any]) -> None:
    plan["$schema"] = "x"
    plan["dmp"]["dataset"][0]["mood"] = {"of": ["the", "day"]}
    sent = copy.deepcopy(plan)
    assert read(plan) == sent
    assert plan == sent


def test_an_unknown_field_of_the_extension_is_a_fault_at_its_place(plan: dict[str, Any]) -> None:
    plan["dmp"]["dataset"][0]["indigo"]["structure"]["tables"][0]["fields"][1]["unitt"] = "mm"
    assert pointers(plan) == {"/dmp/dataset/0/indigo/structure/tables/0/fields/1/unitt"}


def test_the_extension_is_checked_as_a_whole(plan: dict[str, Any]) -> None:
    del plan["dmp"]["dataset"][0]["indigo"]["structure"]
    assert pointers(plan) == {"/dmp/dataset/0/indigo"}
    plan["dmp"]["dataset"][0]["indigo"] = None
    assert pointers(plan) == {"/dmp/dataset/0/indigo"}


def test_two_outputs_with_one_key(plan: dict[str, Any]) -> None:
    plan["dmp"]["dataset"][1]["indigo"] = {"key": "counts"}
    assert pointers(plan) == {"/dmp/dataset/1/indigo/key"}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2021-01-01 03:11:23Z", "2021-01-01T03:11:23Z"),
        ("2021-01-01T03:11:23", "2021-01-01T03:11:23Z"),
        ("2021-01-01 03:11:23.5 +02:00", "2021-01-01T03:11:23.5+02:00"),
    ],
)
def test_instants_as_plans_in_the_wild_have_them(plan: dict[str, Any], sent: str, kept: str) -> None:
    plan["dmp"]["created"] = sent
    assert read(plan)["dmp"]["created"] == kept


@pytest.mark.parametrize(
    "sent",
    ["2021-02-30T00:00:00Z", "2021-01-01T23:59:60Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", 5],
)
def test_instants_no_database_holds(plan: dict[str, Any], sent: Any) -> None:
    plan["dmp"]["created"] = sent
    assert pointers(plan) == {"/dmp/created"}


def test_a_day_no_calendar_has(plan: dict[str, Any]) -> None:
    plan["dmp"]["dataset"][0]["issued"] = "0000-01-01"
    assert pointers(plan) == {"/dmp/dataset/0/issued"}


@pytest.mark.parametrize("body", [None, [], "dmp", 3, {}, {"dmp": None}, {"dmp": []}, {"plan": {}}])
def test_what_is_no_plan_at_all(body: Any) -> None:
    assert pointers(body)
    assert pointers(body, "1.0")


def test_official_1_1_examples_can_be_read(vectors: Path, read_json: Any) -> None:
    files = sorted((vectors / "madmp" / "examples-1.1").glob("*.json"))
    assert files
    for file in files:
        document = read(read_json(file), "1.1")
        assert not schema_errors(document, "1.2")


def test_is_reused_was_a_word_before_1_2(plan: dict[str, Any]) -> None:
    plan["dmp"]["dataset"][0]["is_reused"] = "reused"
    plan["dmp"]["dataset"][1]["is_reused"] = "produced"
    assert [dataset["is_reused"] for dataset in read(plan, "1.1")["dmp"]["dataset"]] == [True, False]
    assert pointers(plan) == {"/dmp/dataset/0/is_reused", "/dmp/dataset/1/is_reused"}


def test_what_is_written_as_1_2_is_valid_1_2(plan: dict[str, Any]) -> None:
    distributions = plan["dmp"]["dataset"][0]["distribution"]
    host = {"title": "Archive", "pid_system": ["doi", "b2handle"]}
    distributions[0] |= {"data_access": "restricted", "host": host}
    known_by = [{"identifier": "https://archive.example", "type": "url"}]
    distributions.append({"title": "B", "data_access": "closed", "host": {"title": "C", "host_id": known_by}})
    document = read(plan, "1.3")
    kept = copy.deepcopy(document)
    written = write(document, "1.2")
    assert not schema_errors(written, "1.2")
    first, second = written["dmp"]["dataset"][0]["distribution"]
    assert first["data_access"] == "shared"
    assert first["host"] == {"title": "Archive", "pid_system": ["doi", "other"], "url": ""}
    assert second["host"]["url"] == "https://archive.example"
    assert document == kept
    assert write(document, "1.3") == kept
