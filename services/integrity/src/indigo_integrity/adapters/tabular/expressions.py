"""Table Schema in SQL: what one field asks of a value, as expressions over one text column.

Everything a person wrote (bounds, patterns, codes, formats) becomes a string literal by ``text``; names of
columns never reach SQL. Source: Data Package 2.0, Table Schema (field types and constraints).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from indigo_contracts.structure import FieldSpec, FieldType


def text(value: str) -> str:
    """A string as a SQL literal. Raises ``ValueError`` for NUL, which no literal can hold."""
    if "\0" in value:
        raise ValueError("a NUL character cannot be compared")
    return "'" + value.replace("'", "''") + "'"


def value(column: str, missing: list[str]) -> str:
    """The text of a cell, or NULL when it is one of the missing values."""
    if not missing:
        return column
    return f"(CASE WHEN {column} IN ({', '.join(map(text, missing))}) THEN NULL ELSE {column} END)"


_SHAPES = {
    FieldType.INTEGER: r"[+-]?[0-9]+",
    FieldType.NUMBER: r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|NaN|-?INF",
    FieldType.BOOLEAN: r"true|True|TRUE|1|false|False|FALSE|0",
    FieldType.YEAR: r"-?[0-9]{4}",
    FieldType.DATE: r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    FieldType.TIME: r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?",
    FieldType.DATETIME: r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})?",
}
_CASTS = {
    FieldType.INTEGER: "DOUBLE",
    FieldType.NUMBER: "DOUBLE",
    FieldType.YEAR: "INTEGER",
    FieldType.DATE: "DATE",
    FieldType.TIME: "TIME",
    FieldType.DATETIME: "TIMESTAMP",
}
_DATED = {FieldType.DATE, FieldType.TIME, FieldType.DATETIME}


def typed(field: FieldSpec, cell: str) -> str:
    """``cell`` (text) as a value that can be ordered; NULL when it is not of the field's type."""
    if field.type is FieldType.STRING:
        return cell
    if field.type in _DATED and field.format:
        return f"try_strptime({cell}, {text(field.format)})"
    shaped = f"regexp_full_match({cell}, {text(_SHAPES[field.type])})"
    if field.type is FieldType.BOOLEAN:
        return f"(CASE WHEN {shaped} THEN lower({cell}) IN ('true', '1') END)"
    return f"(CASE WHEN {shaped} THEN TRY_CAST({cell} AS {_CASTS[field.type]}) END)"


def identity(field: FieldSpec, cell: str) -> str:
    """What two equal values have in common: ``07`` and ``7`` are the same integer."""
    if field.type is FieldType.INTEGER:
        exact = f"TRY_CAST({cell} AS HUGEINT)"
        return f"coalesce(CAST({exact} AS VARCHAR), {cell})"
    if field.type is FieldType.NUMBER:
        return f"coalesce(CAST(TRY_CAST({cell} AS DOUBLE) AS VARCHAR), {cell})"
    return cell


def _bound(field: FieldSpec, bound: float | str) -> str:
    """A minimum or maximum as a value of the field's type; NULL when it is none."""
    if field.type in {FieldType.INTEGER, FieldType.NUMBER}:
        return f"TRY_CAST({text(str(bound))} AS DOUBLE)"
    whole = isinstance(bound, float) and bound.is_integer()
    return typed(field, text(str(int(bound)) if whole else str(bound)))


@dataclass(frozen=True, slots=True)
class Check:
    """Rows where ``condition`` holds are wrong. ``code`` is Frictionless's; ``rule`` names the constraint."""

    code: str
    rule: str
    column: str
    condition: str
    message: str
    expected: Any = None


def field_checks(field: FieldSpec, column: str, missing: list[str]) -> Iterator[Check]:
    """The checks one field asks for, over the table's column ``column``."""
    cell = value(column, missing)
    as_type = typed(field, cell)
    good = f"{as_type} IS NOT NULL"
    yield Check("missing-cell", "cell", column, f"{column} IS NULL", "the row ends before this column")
    if field.type is not FieldType.STRING:
        shape = f"{field.type}" + (f" in the format {field.format}" if field.format else "")
        yield Check(
            "type-error",
            "type",
            column,
            f"{cell} IS NOT NULL AND {as_type} IS NULL",
            f"not of type {shape}",
            shape,
        )

    def constraint(rule: str, condition: str, message: str, expected: Any) -> Check:
        return Check("constraint-error", rule, column, condition, message, expected)

    if field.required:
        missed = f"{column} IS NOT NULL AND {cell} IS NULL"
        yield constraint("required", missed, "a value is required", True)
    if field.minimum is not None:
        bound = _bound(field, field.minimum)
        yield constraint("minimum", f"{as_type} < {bound}", f"less than {field.minimum}", field.minimum)
    if field.maximum is not None:
        bound = _bound(field, field.maximum)
        yield constraint("maximum", f"{as_type} > {bound}", f"more than {field.maximum}", field.maximum)
    if field.min_length is not None:
        short = f"length({cell}) < {field.min_length}"
        yield constraint("minLength", short, f"shorter than {field.min_length}", field.min_length)
    if field.max_length is not None:
        long = f"length({cell}) > {field.max_length}"
        yield constraint("maxLength", long, f"longer than {field.max_length}", field.max_length)
    if field.pattern is not None:
        mismatch = f"NOT regexp_full_match({cell}, {text(field.pattern)})"
        yield constraint("pattern", mismatch, f"does not match {field.pattern}", field.pattern)
    if field.codes:
        codes = [code.code for code in field.codes]
        other = f"{good} AND {cell} NOT IN ({', '.join(map(text, codes))})"
        yield constraint("enum", other, "not one of the codes", codes[:20])


def definition_probes(field: FieldSpec) -> Iterator[tuple[str, str]]:
    """(what, query) pairs: a query that fails or answers false means the plan's definition cannot be tested."""
    if field.pattern is not None:
        yield "pattern", f"SELECT regexp_full_match('', {text(field.pattern)}) IS NOT NULL"
    if field.format is not None and field.type in _DATED:
        yield "format", f"SELECT try_strptime('', {text(field.format)}) IS NULL"
    for name, bound in (("minimum", field.minimum), ("maximum", field.maximum)):
        if bound is not None:
            ordered = field.type not in {FieldType.STRING, FieldType.BOOLEAN}
            yield name, f"SELECT {'true' if ordered else 'false'} AND {_bound(field, bound)} IS NOT NULL"
