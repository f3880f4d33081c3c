"""What is wrong with attributes, told field by field before a registrar is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from indigo_contracts.problems import FieldError
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from indigo_pid.datacite.models import Resource, is_single_polygon

_NEEDED = {
    "creators": "at least one creator is needed",
    "titles": "a title is needed",
    "publisher": "a publisher is needed",
    "publicationYear": "the year of publication is needed",
    "types": "the type of the resource is needed",
    "name": "a name is needed",
    "title": "a title is needed",
}


class InvalidMetadata(Exception):
    """Attributes that no registrar would take; ``errors`` point into them."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{one.pointer}: {one.detail}" for one in errors))
        self.errors = errors


def read_resource(attributes: Mapping[str, Any]) -> Resource:
    """The resource ``attributes`` describe, in the JSON form of the DataCite REST API.

    Raises ``InvalidMetadata``. Codes of its errors: ``missing``, ``vocabulary`` (not in the controlled list),
    ``language``, ``uri``, ``characters``, ``too_long``, ``range``, ``type``, ``invalid``.
    """
    try:
        return Resource.model_validate(dict(attributes))
    except ValidationError as error:
        raise InvalidMetadata([_told(one, attributes) for one in error.errors(include_url=False)]) from None


def problems_in(attributes: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong with ``attributes``, nothing when they can be registered."""
    try:
        read_resource(attributes)
    except InvalidMetadata as invalid:
        return invalid.errors
    return []


def _told(error: ErrorDetails, attributes: Mapping[str, Any]) -> FieldError:
    pointer = _pointer(error["loc"], attributes)
    name = next((part for part in reversed(error["loc"]) if isinstance(part, str)), "")
    kind, value = error["type"], error["input"]
    match kind:
        case "missing" | "too_short":
            return FieldError(pointer=pointer, detail=_NEEDED.get(name, f"{name} is needed"), code="missing")
        case "enum":
            detail = f"{_shown(value)} is not in the list of DataCite 4.7: {error['ctx']['expected']}"
            return FieldError(pointer=pointer, detail=detail, code="vocabulary")
        case "string_pattern_mismatch":
            return FieldError(pointer=pointer, detail=f"{_shown(value)} is no language tag", code="language")
        case "too_long":
            return FieldError(pointer=pointer, detail=error["msg"], code="too_long")
        case "int_parsing" | "int_from_float" | "float_parsing" | "int_type" | "float_type":
            return FieldError(pointer=pointer, detail=f"{_shown(value)} is no number of that kind", code="type")
        case "greater_than_equal" | "less_than_equal":
            return FieldError(pointer=pointer, detail=f"{_shown(value)}: {error['msg']}", code="range")
        case "characters" | "uri":
            return FieldError(pointer=pointer, detail=error["msg"], code=kind)
        case "corners":
            return FieldError(pointer=pointer, detail=error["msg"], code="invalid")
        case "value_error":
            return FieldError(pointer=pointer, detail=error["msg"].removeprefix("Value error, "), code="invalid")
    return FieldError(pointer=pointer, detail=error["msg"], code="type")


def _pointer(location: tuple[str | int, ...], attributes: Mapping[str, Any]) -> str:
    """A JSON Pointer (RFC 6901) into ``attributes`` as they came: a single polygon has no index."""
    node: Any = attributes
    parts: list[str | int] = []
    for part in location:
        if isinstance(part, int) and parts and parts[-1] == "geoLocationPolygon" and is_single_polygon(node):
            parts.append("")  # stands for the list that validation put around it
            continue
        parts.append(part)
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            node = None  # what is missing, or was made of a bare name
    return "".join(f"/{_segment(part)}" for part in parts if part != "")


def _segment(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
