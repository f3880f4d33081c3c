"""What keeps a plan from being published, each fault at its place."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from indigo_dmp.domain.checks import publication_errors
from indigo_dmp.domain.outputs import with_keys

NOW = datetime(2026, 2, 1, tzinfo=UTC)
Change = Callable[[dict[str, Any]], None]


def errors(plan: dict[str, Any]) -> set[tuple[str, str]]:
    return {(error.pointer, error.code) for error in publication_errors(with_keys(plan), NOW)}


def test_a_sound_plan_has_none(plan: dict[str, Any]) -> None:
    assert errors(plan) == set()


def first(plan: dict[str, Any]) -> Any:
    return plan["dmp"]["dataset"][0]


def table(plan: dict[str, Any]) -> Any:
    return first(plan)["indigo"]["structure"]["tables"][0]


def processing(plan: dict[str, Any]) -> Any:
    return first(plan)["indigo"]["tests"][2]


TABLE = "/dmp/dataset/0/indigo/structure/tables/0"
TEST = "/dmp/dataset/0/indigo/tests/2"


def foreign(to: str, *reference: str) -> list[dict[str, Any]]:
    return [{"fields": ["site"], "table": to, "reference": list(reference)}]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda p: p["dmp"].update(title=" "), ("/dmp/title", "blank")),
        (lambda p: p["dmp"]["contact"].update(name=""), ("/dmp/contact/name", "blank")),
        (lambda p: p["dmp"].update(created="2026-03-01T00:00:00Z"), ("/dmp/created", "date_order")),
        (
            lambda p: p["dmp"].update(project=[{"title": "P", "start": "2026-01-02", "end": "2026-01-01"}]),
            ("/dmp/project/0/end", "date_order"),
        ),
        (lambda p: first(p).update(title=""), ("/dmp/dataset/0/title", "blank")),
        (
            lambda p: first(p)["distribution"][0].update(available_until="2026-06-29"),
            ("/dmp/dataset/0/distribution/0/available_until", "date_order"),
        ),
        (
            lambda p: first(p)["distribution"][0].update(byte_size=-1),
            ("/dmp/dataset/0/distribution/0/byte_size", "negative"),
        ),
        (lambda p: processing(p).update(software="ghost"), (f"{TEST}/software", "unknown_output")),
        (lambda p: processing(p).update(software="counts"), (f"{TEST}/software", "not_software")),
        (
            lambda p: p["dmp"]["dataset"][1].update(is_reused=True),
            (f"{TEST}/software", "unknown_output"),
        ),
        (
            lambda p: processing(p)["outputs"].append({"path": "totals.csv", "compare": "exists"}),
            (f"{TEST}/outputs/1/path", "repeated_path"),
        ),
        (
            lambda p: processing(p)["outputs"][0].update(compare="digest", sha256="0" * 64),
            (f"{TEST}/outputs/0/reference", "ambiguous"),
        ),
        (
            lambda p: processing(p)["outputs"][0].update(sha256="0" * 64, reference="x"),
            (f"{TEST}/outputs/0/sha256", "unused"),
        ),
        (
            lambda p: processing(p)["outputs"][0].update(compare="json", key=["a"]),
            (f"{TEST}/outputs/0/key", "unused"),
        ),
        (
            lambda p: processing(p)["outputs"][0].update(compare="exists"),
            (f"{TEST}/outputs/0/reference", "unused"),
        ),
        (lambda p: table(p).update(min_rows=3, max_rows=2), (f"{TABLE}/max_rows", "range")),
        (lambda p: table(p)["fields"][1].update(maximum=-1), (f"{TABLE}/fields/1/maximum", "range")),
        (
            lambda p: table(p)["fields"][0].update(min_length=3, max_length=2),
            (f"{TABLE}/fields/0/max_length", "range"),
        ),
        (
            lambda p: table(p).update(foreign_keys=foreign("x", "id")),
            (f"{TABLE}/foreign_keys/0/table", "unknown_table"),
        ),
        (
            lambda p: table(p).update(foreign_keys=foreign("counts", "id")),
            (f"{TABLE}/foreign_keys/0/reference", "unknown_field"),
        ),
        (
            lambda p: table(p).update(foreign_keys=foreign("counts", "site", "n")),
            (f"{TABLE}/foreign_keys/0/reference", "key_length"),
        ),
    ],
)
def test_a_fault_is_told_at_its_place(plan: dict[str, Any], change: Change, fault: tuple[str, str]) -> None:
    change(plan)
    assert fault in errors(plan)


def test_all_faults_are_told_at_once(plan: dict[str, Any]) -> None:
    first(plan)["title"] = ""
    processing(plan)["software"] = "ghost"
    table(plan)["foreign_keys"] = foreign("x", "id")
    assert len(errors(plan)) == 3
