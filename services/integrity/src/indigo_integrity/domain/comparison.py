"""Outputs against their references: how alike two files are, and where they differ.

The grades, best first: the same bytes; the same values written differently; values within the tolerance of
the plan; different. The grade that was reached is the evidence of reproducibility.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

MAX_DIFFERENCES = 20
"""Differences that are told one by one."""

MAX_COMPARED_BYTES = 64 * 2**20
"""Larger files are compared by digest only: values are held in memory."""


class Grade(IntEnum):
    BYTE_IDENTICAL = 0
    IDENTICAL_AFTER_NORMALIZATION = 1
    WITHIN_TOLERANCE = 2
    DIFFERENT = 3

    @property
    def label(self) -> str:
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs: where, and by how much when both are numbers."""

    where: dict[str, str | int]
    expected: Any
    observed: Any
    message: str = "another value"
    abs_diff: float | None = None


@dataclass(slots=True)
class Comparison:
    """``checked`` values were compared, ``different`` of them differ; the first differences are told."""

    grade: Grade = Grade.BYTE_IDENTICAL
    checked: int = 0
    different: int = 0
    differences: list[Difference] = field(default_factory=list)
    normalizations: set[str] = field(default_factory=set)

    def normalized(self, what: str) -> None:
        """Something was told apart by the bytes only."""
        self.normalizations.add(what)
        self.grade = max(self.grade, Grade.IDENTICAL_AFTER_NORMALIZATION)

    def differ(self, difference: Difference) -> None:
        self.grade = Grade.DIFFERENT
        self.different += 1
        if len(self.differences) < MAX_DIFFERENCES:
            self.differences.append(difference)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Numbers are alike when ``|a - b| <= atol + rtol * |expected|``."""

    rtol: float = 0.0
    atol: float = 0.0

    def allows(self, expected: float, observed: float) -> bool:
        if math.isinf(expected) or math.isinf(observed):
            return expected == observed
        return abs(expected - observed) <= self.atol + self.rtol * abs(expected)


def compare_numbers(
    result: Comparison, expected: float, observed: float, tolerance: Tolerance, where: dict[str, str | int]
) -> None:
    """Two numbers that are not written alike; NaN equals NaN."""
    if expected == observed or (math.isnan(expected) and math.isnan(observed)):
        result.normalized("number-format")
    elif tolerance.allows(expected, observed):
        result.grade = max(result.grade, Grade.WITHIN_TOLERANCE)
    else:
        result.differ(Difference(where, expected, observed, abs_diff=abs(expected - observed)))


def sha256(path: Path) -> str:
    """The sha256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def compare_digest(expected: str, observed: str) -> Comparison:
    result = Comparison(checked=1)
    if expected != observed:
        result.differ(Difference({}, expected, observed, "the bytes differ"))
    return result
