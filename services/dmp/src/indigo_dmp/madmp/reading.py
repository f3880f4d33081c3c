"""From the JSON someone sent to a document this service keeps, or to a list of what is wrong with it."""

from __future__ import annotations

import copy
import re
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Literal

from indigo_contracts.dmp import OutputExtension
from indigo_contracts.problems import FieldError
from indigo_kernel.http.errors import pointer_into
from indigo_kernel.problems import InvalidBody
from jsonschema_rs import Draft202012Validator, ValidationError
from jsonschema_rs import ValidationErrorKind as Kind
from pydantic import ValidationError as ModelError

from indigo_dmp.madmp.schema import Version, schema

Document = dict[str, Any]
"""A whole maDMP document, ``{"dmp": {...}}``."""

ReadVersion = Literal["1.0", "1.1", "1.2", "1.3"]
MOST_ERRORS = 50

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d(?:\.\d+)?) ?([Zz]|[+-]\d\d:\d\d)?")


def read(body: Any, version: ReadVersion = "1.2") -> Document:
    """A document that fits the schema, its extension and the calendar; ``body`` is left as it is.

    1.0 and 1.1 documents are read as 1.2. ``created`` and ``modified`` may have a space for the ``T`` and no
    zone (then UTC), as plans in the wild have. Raises ``InvalidBody`` with a JSON Pointer (RFC 6901) for each
    fault.
    """
    document = _tolerant(body)
    if version in {"1.0", "1.1"}:
        _upgrade(document)
    if errors := schema_errors(document, "1.3" if version == "1.3" else "1.2"):
        raise _invalid(errors)
    if errors := [*_calendar_errors(document), *_extension_errors(document)]:
        raise _invalid(errors)
    return document  # type: ignore[no-any-return]


def schema_errors(document: Any, version: Version) -> list[FieldError]:
    """What the standard's schema has against ``document``, formats included; nothing when it is valid."""
    found = _validator(version).iter_errors(document)
    return [_field_error(error) for error, _ in zip(found, range(MOST_ERRORS), strict=False)]


def extension_errors(value: Any, pointer: str) -> list[FieldError]:
    """What is wrong with one ``dataset[].indigo``, which stands at ``pointer``. Unknown fields are faults."""
    try:
        OutputExtension.model_validate(value)
    except ModelError as error:
        return [
            FieldError(pointer=pointer + pointer_into(value, one["loc"]), detail=one["msg"], code=one["type"])
            for one in error.errors(include_url=False)
        ]
    return []


def _invalid(errors: list[FieldError]) -> InvalidBody:
    first = errors[0]
    return InvalidBody(
        f"The plan is not a valid maDMP document: {first.pointer or 'the top'}: {first.detail}",
        errors=errors[:MOST_ERRORS],
    )


@cache
def _validator(version: Version) -> Draft202012Validator:
    return Draft202012Validator(schema(version), validate_formats=True)


def _pointer(path: list[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _field_error(error: ValidationError) -> FieldError:
    path = list(error.instance_path)
    if isinstance(error.kind, Kind.Required):
        path.append(error.kind.property)  # the pointer names the field that is missing
    return FieldError(pointer=_pointer(path), detail=error.message[:500], code=error.kind.name)


def _tolerant(body: Any) -> Any:
    if not isinstance(body, dict) or not isinstance(body.get("dmp"), dict):
        return body
    document = copy.deepcopy(body)
    for name in ("created", "modified"):
        value = document["dmp"].get(name)
        match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
        if match:
            document["dmp"][name] = f"{match[1]}T{match[2]}{(match[3] or 'Z').upper()}"
    return document


def _upgrade(document: Any) -> None:
    """Give the fields that 1.2 defines, and tools used before it in a form of their own, the form of 1.2."""
    dmp = document.get("dmp") if isinstance(document, dict) else None
    for project in _objects(dmp, "project"):
        if isinstance(project.get("project_id"), str):
            project["project_id"] = [{"identifier": project["project_id"], "type": "other"}]
    for dataset in _objects(dmp, "dataset"):
        if dataset.get("is_reused") in ("reused", "produced"):
            dataset["is_reused"] = dataset["is_reused"] == "reused"


def _objects(parent: Any, name: str) -> list[dict[str, Any]]:
    children = parent.get(name) if isinstance(parent, dict) else None
    return [child for child in children if isinstance(child, dict)] if isinstance(children, list) else []


def instant(text: str) -> datetime:
    """An RFC 3339 instant in UTC. Raises ``ValueError`` for a leap second, and outside of the years 1 to 9999."""
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the instant is out of range") from error


def _calendar_errors(document: Document) -> list[FieldError]:
    """Instants and days RFC 3339 allows and no database holds."""
    dmp = document["dmp"]
    errors = []
    for name in ("created", "modified"):
        try:
            instant(dmp[name])
        except ValueError:
            errors.append(FieldError(pointer=f"/dmp/{name}", detail="There is no such instant", code="date-time"))
    for index, dataset in enumerate(dmp["dataset"]):
        if "issued" not in dataset:
            continue
        try:
            date.fromisoformat(dataset["issued"])
        except ValueError:
            pointer = f"/dmp/dataset/{index}/issued"
            errors.append(FieldError(pointer=pointer, detail="There is no such day", code="date"))
    return errors


def _extension_errors(document: Document) -> list[FieldError]:
    errors: list[FieldError] = []
    keys: dict[str, int] = {}
    for index, dataset in enumerate(document["dmp"]["dataset"]):
        if "indigo" not in dataset:
            continue
        pointer = f"/dmp/dataset/{index}/indigo"
        wrong = extension_errors(dataset["indigo"], pointer)
        errors.extend(wrong)
        key = None if wrong else dataset["indigo"].get("key")
        if key is None:
            continue
        if key in keys:
            detail = f"Output {keys[key]} has the key {key!r} already"
            errors.append(FieldError(pointer=f"{pointer}/key", detail=detail, code="repeated_key"))
        keys.setdefault(key, index)
    return errors
