"""What may change in an event's schema within one major version."""

from __future__ import annotations

import copy

import pytest
from indigo_contracts.dmp import PlanPublished
from indigo_suite.golden import compatible

SCHEMA = PlanPublished.model_json_schema()


def test_the_same_schema_is_compatible() -> None:
    assert compatible(SCHEMA, copy.deepcopy(SCHEMA)) == []


def test_an_optional_field_may_be_added() -> None:
    after = copy.deepcopy(SCHEMA)
    after["$defs"]["PlanSnapshot"]["properties"]["color"] = {"type": "string"}
    assert compatible(SCHEMA, after) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s["properties"].pop("plan"), "/plan was removed"),
        (lambda s: s["$defs"]["PlanSnapshot"]["properties"].pop("title"), "/PlanSnapshot/title was removed"),
        (
            lambda s: s["$defs"]["PlanSnapshot"]["properties"]["version"].update(type="string"),
            "/PlanSnapshot/version has another type",
        ),
        (lambda s: s["required"].append("actor"), "/actor is newly required"),
        (lambda s: s["$defs"]["PlanState"]["enum"].remove("withdrawn"), "/PlanState lost the values withdrawn"),
    ],
)
def test_what_old_readers_could_not_read_is_told(change, told: str) -> None:
    after = copy.deepcopy(SCHEMA)
    change(after)
    assert compatible(SCHEMA, after) == [told]
