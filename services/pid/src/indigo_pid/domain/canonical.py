"""Canonical JSON (RFC 8785): one text for one value, whoever writes it and whatever it went through."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

_PLAIN_BELOW = 1e21
_PLAIN_FROM = 1e-6
"""ECMAScript writes numbers between the two without an exponent."""


def canonical(value: Any) -> str:
    """``value``, made of what JSON knows, as RFC 8785 writes it. Raises ``ValueError`` for NaN and infinities."""
    if value is None or isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{canonical(name)}:{canonical(one)}" for name, one in members) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(canonical(one) for one in value) + "]"
    raise ValueError(f"{type(value).__name__} is not in JSON")


def _number(value: float) -> str:
    """As ECMAScript writes a double (RFC 8785, 3.2.2.3)."""
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError("the number is too large") from error
    if number != number or number in {float("inf"), float("-inf")}:  # noqa: PLR0124 - NaN differs from itself
        raise ValueError("not a number of JSON")
    if number == 0:
        return "0"
    if _PLAIN_FROM <= abs(number) < _PLAIN_BELOW:
        return str(int(number)) if number.is_integer() else format(Decimal(repr(number)), "f")
    digits, _, exponent = repr(number).partition("e")
    return f"{digits.removesuffix('.0')}e{int(exponent):+d}"
