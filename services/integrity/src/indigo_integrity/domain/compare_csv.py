"""Two CSV files by their values (RFC 4180): rows by key or by order, numbers within a tolerance."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from indigo_integrity.domain.comparison import Comparison, Difference, Tolerance, compare_numbers

Rows = list[list[str]]


class Unreadable(Exception):
    """The file is not what the comparison is for."""


def compare_csv(
    expected: Path, observed: Path, *, key: Sequence[str], ignore: Sequence[str], tolerance: Tolerance
) -> Comparison:
    """Raises ``Unreadable`` when ``observed`` or ``expected`` is no CSV with a header."""
    result = Comparison()
    want_header, want = _read(expected)
    have_header, have = _read(observed)
    wanted = [name for name in want_header if name not in ignore]
    there = [name for name in have_header if name not in ignore]
    if set(wanted) != set(there):
        result.differ(Difference({"row": 1}, wanted, there, "other columns"))
        return result
    if wanted != there:
        result.normalized("column-order")
    if missing := [name for name in key if name not in wanted]:
        raise Unreadable(f"there is no column {missing[0]!r} to identify a row by")
    at = {name: (want_header.index(name), have_header.index(name)) for name in wanted}
    if key:
        pairs = _by_key(result, want, have, [at[name] for name in key])
    else:
        pairs = _by_order(result, want, have)
    for row, (ours, theirs) in pairs:
        for name, (left, right) in at.items():
            result.checked += 1
            _values(result, ours[left], theirs[right], tolerance, {"row": row, "column": name})
    result.normalized("text-form")  # the bytes differ, or nobody would have compared values
    return result


def _read(path: Path) -> tuple[list[str], Rows]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            header = next(reader, None)
            if not header:
                raise Unreadable("the file has no header")
            if len(set(header)) != len(header):
                raise Unreadable("two columns have the same name")
            rows = [row for row in reader if row]
    except (csv.Error, UnicodeError) as error:
        raise Unreadable(f"not a CSV file in UTF-8: {error}") from error
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise Unreadable(f"row {number} has {len(row)} cells, the header {len(header)}")
    return header, rows


Pair = tuple[int, tuple[list[str], list[str]]]


def _by_order(result: Comparison, want: Rows, have: Rows) -> list[Pair]:
    if len(want) != len(have):
        result.differ(Difference({}, len(want), len(have), "another number of rows"))
    return [(number, pair) for number, pair in enumerate(zip(want, have, strict=False), start=2)]


def _by_key(result: Comparison, want: Rows, have: Rows, key: list[tuple[int, int]]) -> list[Pair]:
    wanted = _index(result, want, [left for left, _ in key])
    there = _index(result, have, [right for _, right in key])
    for name in wanted.keys() - there.keys():
        result.differ(Difference({"row": wanted[name][0]}, list(name), None, "no row with this key"))
    for name in there.keys() - wanted.keys():
        result.differ(Difference({"row": there[name][0]}, None, list(name), "a row that is not in the reference"))
    pairs = [(there[name][0], (row, there[name][1])) for name, (_, row) in wanted.items() if name in there]
    if [number for number, _ in pairs] != sorted(number for number, _ in pairs):
        result.normalized("row-order")
    return pairs


def _index(result: Comparison, rows: Rows, columns: list[int]) -> dict[tuple[str, ...], tuple[int, list[str]]]:
    index: dict[tuple[str, ...], tuple[int, list[str]]] = {}
    for number, row in enumerate(rows, start=2):
        name = tuple(row[column] for column in columns)
        if name in index:
            result.differ(Difference({"row": number}, None, list(name), "two rows have this key"))
        index.setdefault(name, (number, row))
    return index


def _values(
    result: Comparison, expected: str, observed: str, tolerance: Tolerance, where: dict[str, str | int]
) -> None:
    if expected == observed:
        return
    try:
        numbers = float(expected), float(observed)
    except ValueError:
        if expected.strip() == observed.strip():
            result.normalized("white-space")
        else:
            result.differ(Difference(where, expected, observed))
        return
    compare_numbers(result, *numbers, tolerance, where)
