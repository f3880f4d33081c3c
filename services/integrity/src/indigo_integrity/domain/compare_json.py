"""Two JSON documents by their values: members in any order, numbers within a tolerance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from indigo_integrity.domain.compare_csv import Unreadable
from indigo_integrity.domain.comparison import Comparison, Difference, Tolerance, compare_numbers


def compare_json(expected: Path, observed: Path, *, ignore: Sequence[str], tolerance: Tolerance) -> Comparison:
    """``ignore`` names members left out wherever they are. Raises ``Unreadable`` when a file is no JSON."""
    result = Comparison()
    left, right = _read(expected), _read(observed)
    try:
        _compare(result, left, right, "", frozenset(ignore), tolerance)
    except RecursionError as error:
        raise Unreadable("the document is nested too deeply") from error
    result.normalized("text-form")  # the bytes differ, or nobody would have compared values
    return result


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not a JSON document: {error}") from error


def _compare(
    result: Comparison, expected: Any, observed: Any, pointer: str, ignore: frozenset[str], tolerance: Tolerance
) -> None:
    if isinstance(expected, dict) and isinstance(observed, dict):
        for name in sorted((expected.keys() | observed.keys()) - ignore):
            inner = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            if name not in observed:
                result.differ(Difference({"pointer": inner}, expected[name], None, "the member is missing"))
            elif name not in expected:
                result.differ(Difference({"pointer": inner}, None, observed[name], "an unexpected member"))
            else:
                _compare(result, expected[name], observed[name], inner, ignore, tolerance)
    elif isinstance(expected, list) and isinstance(observed, list):
        if len(expected) != len(observed):
            result.differ(Difference({"pointer": pointer}, len(expected), len(observed), "another length"))
        for number, (one, other) in enumerate(zip(expected, observed, strict=False)):
            _compare(result, one, other, f"{pointer}/{number}", ignore, tolerance)
    else:
        result.checked += 1
        _scalars(result, expected, observed, pointer, tolerance)


def _scalars(result: Comparison, expected: Any, observed: Any, pointer: str, tolerance: Tolerance) -> None:
    if type(expected) is type(observed) and expected == observed:
        return
    if _number(expected) and _number(observed):
        try:
            compare_numbers(result, float(expected), float(observed), tolerance, {"pointer": pointer})
        except OverflowError:  # an integer beyond the range of floats, and not the same one
            result.differ(Difference({"pointer": pointer}, str(expected)[:200], str(observed)[:200]))
        return
    result.differ(Difference({"pointer": pointer}, expected, observed))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
