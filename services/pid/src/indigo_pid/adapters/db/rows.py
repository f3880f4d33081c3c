"""Any number of rows in one statement: an array for each column, and a column that never changes as one value.

That is a quarter of the time of parameters for each row, or of JSON, on both sides of the connection.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, dialect

_DIALECT = dialect()  # type: ignore[no-untyped-call]


def with_rows(
    statement: str, table: sa.Table, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> tuple[sa.TextClause, dict[str, Any]]:
    """``statement`` with ``{rows}`` after ``INSERT INTO table`` filled in, and its parameters.

    ``rows`` is not empty; the first of ``columns`` is always an array, so there is one.
    """
    parameters: dict[str, Any] = {}
    changing = []
    for name in columns:
        values = [row[name] for row in rows]
        if isinstance(table.c[name].type, JSONB):
            values = [None if value is None else json.dumps(value) for value in values]
        if name == columns[0] or values.count(values[0]) < len(values):
            changing.append(name)
            parameters[name] = values
        else:
            parameters[name] = values[0]
    return _filled(statement, table, tuple(columns), tuple(changing)), parameters


@lru_cache(maxsize=256)
def _filled(statement: str, table: sa.Table, columns: tuple[str, ...], changing: tuple[str, ...]) -> sa.TextClause:
    selected, arrays = [], []
    for name in columns:
        type_ = table.c[name].type
        # a text column's own type may name a collation, which no cast takes
        written = "TEXT" if isinstance(type_, JSONB | sa.Text) else type_.compile(_DIALECT)
        value = f"given.{name}" if name in changing else f"CAST(:{name} AS {written})"
        if name in changing:
            arrays.append(f"CAST(:{name} AS {written}[])")
        selected.append(f"CAST({value} AS JSONB)" if isinstance(type_, JSONB) else value)
    rows = (
        f"({', '.join(columns)}) SELECT {', '.join(selected)}"  # noqa: S608 - names of our own columns
        f" FROM unnest({', '.join(arrays)}) AS given({', '.join(changing)})"
    )
    return sa.text(statement.format(rows=rows))
