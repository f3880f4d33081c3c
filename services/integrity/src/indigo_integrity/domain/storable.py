"""Values out of untrusted files, made fit to be stored and sent: bounded, finite, valid Unicode."""

from __future__ import annotations

import math
from typing import Any

from indigo_contracts.integrity import Finding
from indigo_contracts.text import storable_text

_WIDEST = 100
_DEEPEST = 5
_LARGEST_INTEGER = 2**63 - 1


def storable(value: Any, depth: int = 0) -> Any:
    """``value`` as bounded JSON: NaN, infinities and integers past 2^63 become text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST_INTEGER else f"an integer of {value.bit_length()} bits"
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {storable_text(str(k)): storable(v, depth + 1) for k, v in list(value.items())[:_WIDEST]}
    if isinstance(value, list | tuple):
        return [storable(each, depth + 1) for each in value[:_WIDEST]]
    return storable_text(str(value))


def storable_finding(finding: Finding) -> Finding:
    return finding.model_copy(
        update={
            "message": storable_text(finding.message),
            "location": {k: storable_text(v) if isinstance(v, str) else v for k, v in finding.location.items()},
            "expected": storable(finding.expected),
            "observed": storable(finding.observed),
        }
    )
