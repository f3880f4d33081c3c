"""The query string of ``GET /dmps``: everything known is used, everything else is refused (400)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from indigo_contracts.problems import FieldError
from indigo_kernel.http.errors import InvalidParameter

from indigo_dmp.application.search import SORT_FIELDS, VALUE_FILTERS, Search

MOST_ITEMS = 100
MOST_OFFSET = 2**31 - 1
MOST_VALUES = 100
MOST_TEXT = 500

_BOUNDS = ("created_before", "created_after", "modified_before", "modified_after")
_BOOLEANS = {"true": "yes", "false": "no"}


def parse(items: Iterable[tuple[str, str]]) -> Search:
    """The search a query string asks for. A name may end in ``[]``. Raises ``InvalidParameter``."""
    given: dict[str, list[str]] = {}
    for name, value in items:
        given.setdefault(name.removesuffix("[]"), []).append(value)
    known = {"offset", "count", "sort", "query", *_BOUNDS, *VALUE_FILTERS}
    for name, values in given.items():
        if name not in known:
            raise _invalid(name, "There is no such parameter")
        if len(values) > MOST_VALUES:
            raise _invalid(name, f"It may be given {MOST_VALUES} times at most")
    return Search(
        values={name: _values(name, given[name]) for name in VALUE_FILTERS if name in given},
        texts=_texts(given.get("query", [])),
        **{name: _instant(name, given[name]) for name in _BOUNDS if name in given},
        sort=tuple(_sort(value) for value in given.get("sort", ["created,desc"])),
        offset=_number("offset", given.get("offset", ["0"]), 0, MOST_OFFSET),
        count=_number("count", given.get("count", ["20"]), 1, MOST_ITEMS),
    )


def documented() -> list[dict[str, Any]]:
    """The parameters for the OpenAPI document."""
    many: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
    instant = {"type": "string", "format": "date-time"}
    sorts = [f"{name},{way}" for name in SORT_FIELDS for way in ("asc", "desc")]
    schemas: dict[str, dict[str, Any]] = {
        "offset": {"type": "integer", "minimum": 0, "maximum": MOST_OFFSET, "default": 0},
        "count": {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": 20},
        "sort[]": {"type": "array", "items": {"type": "string", "enum": sorts}, "default": ["created,desc"]},
        **dict.fromkeys(_BOUNDS, instant),
        "query[]": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": MOST_TEXT}},
    }
    for name, allowed in VALUE_FILTERS.items():
        items = {"type": "string", "enum": list(allowed)} if allowed else {"type": "string", "minLength": 1}
        schemas[f"{name}[]"] = {**many, "items": items}
    return [{"name": name, "in": "query", "required": False, "schema": it} for name, it in schemas.items()]


def _invalid(name: str, detail: str) -> InvalidParameter:
    error = FieldError(pointer=f"/query/{name}", detail=detail, code="query")
    return InvalidParameter(f"{name}: {detail}", errors=[error])


def _values(name: str, values: Sequence[str]) -> tuple[str, ...]:
    allowed = VALUE_FILTERS[name]
    if name == "ethical_issues_exist":  # boolean in version 0.1.0 of the API
        values = [_BOOLEANS.get(value, value) for value in values]
    for value in values:
        if not value or (allowed is not None and value not in allowed):
            raise _invalid(name, f"{value!r} is not a value it can have")
    return tuple(values)


def _texts(values: Sequence[str]) -> tuple[str, ...]:
    for value in values:
        if not value.strip() or len(value) > MOST_TEXT:
            raise _invalid("query", f"It takes 1 to {MOST_TEXT} characters")
    return tuple(values)


def _instant(name: str, values: Sequence[str]) -> datetime:
    """An ISO 8601 instant; one without a zone is in UTC."""
    text = _single(name, values)
    try:
        if "T" not in text.upper():
            raise ValueError(text)
        # A plus sign that was not escaped reaches us as a space.
        moment = datetime.fromisoformat(text.upper().replace(" ", "+"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _invalid(name, f"{text!r} is not an ISO 8601 instant") from None


def _sort(value: str) -> tuple[str, bool]:
    field, _, way = value.partition(",")
    if field not in SORT_FIELDS or way not in {"asc", "desc"}:
        raise _invalid("sort", f"{value!r} is not one of {', '.join(SORT_FIELDS)} with ,asc or ,desc")
    return field, way == "desc"


def _number(name: str, values: Sequence[str], least: int, most: int) -> int:
    text = _single(name, values)
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and least <= int(text) <= most):
        raise _invalid(name, f"It takes a number from {least} to {most}")
    return int(text)


def _single(name: str, values: Sequence[str]) -> str:
    if len(values) != 1:
        raise _invalid(name, "It is given once")
    return values[0]
