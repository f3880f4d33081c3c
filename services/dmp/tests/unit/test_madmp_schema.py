"""The maDMP schema gives the verdict of the standard's own schema on its examples and on mutants of them."""

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from indigo_dmp.madmp.reading import schema_errors
from jsonschema_rs import Draft202012Validator

OFFICIAL = {"1.2": "maDMP-schema-1.2.json", "1.3": "maDMP-schema-1.3-derived.json"}
REPLACEMENTS: list[Any] = [
    None, True, 0, -1, 1.5, 10**15, "", "yes", "unknown", "eng", "xxx", "open", "restricted", "url", "doi", "EUR",
    "AT", "2020-02-30", "2020-02-29", "2019-02-22T13:20:15.5Z", "2019-02-22 13:20:15Z", "a@b.org", "a@", [], {},
    ["a", "a"], [{}], {"identifier": "1", "type": "other"}, [{"identifier": "1", "type": "url"}],
]  # fmt: skip


@cache
def official(directory: Path, version: str) -> Draft202012Validator:
    return Draft202012Validator(
        json.loads((directory / "madmp" / "schema" / OFFICIAL[version]).read_text()), validate_formats=True
    )


@cache
def examples(directory: Path) -> list[dict[str, Any]]:
    files = sorted((directory / "madmp").glob("examples-*/*.json"))
    assert files
    return [json.loads(file.read_text()) for file in files]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_same_verdict_on_the_official_examples(vectors: Path, version: Any) -> None:
    for example in examples(vectors):
        assert (not schema_errors(example, version)) == official(vectors, version).is_valid(example)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def mutant(draw: Callable[..., Any], example: dict[str, Any]) -> dict[str, Any]:
    document = copy.deepcopy(example)
    path = draw(st.sampled_from(list(places(document))))
    parent: Any = document
    for key in path[:-1]:
        parent = parent[key]
    if draw(st.booleans()):
        parent[path[-1]] = copy.deepcopy(draw(st.sampled_from(REPLACEMENTS)))
    else:
        del parent[path[-1]]
    return document


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_same_verdict_on_mutants(vectors: Path, data: st.DataObject) -> None:
    document = data.draw(st.sampled_from(examples(vectors)))
    if isinstance(document["dmp"].get("created"), str):
        document = copy.deepcopy(document)
        document["dmp"] |= {"created": "2019-02-22T13:20:15Z", "modified": "2019-02-22T13:20:15Z"}
    document = mutant(data.draw, document)
    for version in ("1.2", "1.3"):
        ours = schema_errors(document, version)  # type: ignore[arg-type]
        theirs = [error.message for error in official(vectors, version).iter_errors(document)]
        assert bool(ours) == bool(theirs), (ours, theirs)


def test_every_error_has_the_pointer_to_its_place(plan: dict[str, Any]) -> None:
    plan["dmp"]["dataset"][0]["personal_data"] = "maybe"
    plan["dmp"]["contact"]["mbox"] = "nowhere"
    del plan["dmp"]["dataset"][1]["title"]
    pointers = {error.pointer for error in schema_errors(plan, "1.2")}
    assert pointers == {"/dmp/dataset/0/personal_data", "/dmp/contact/mbox", "/dmp/dataset/1/title"}


def test_restricted_access_and_a_host_without_address_came_with_1_3(plan: dict[str, Any]) -> None:
    distribution = plan["dmp"]["dataset"][0]["distribution"][0]
    distribution |= {"data_access": "restricted", "host": {"title": "Archive", "pid_system": ["b2handle"]}}
    assert not schema_errors(plan, "1.3")
    assert {error.pointer for error in schema_errors(plan, "1.2")} == {
        "/dmp/dataset/0/distribution/0/data_access",
        "/dmp/dataset/0/distribution/0/host/url",
        "/dmp/dataset/0/distribution/0/host/pid_system/0",
    }
