"""Many rows written by one statement, however many they are: columns travel as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

_TYPES: tuple[tuple[type[sa.types.TypeEngine[Any]], str], ...] = (
    (JSONB, "text"),
    (sa.Text, "text"),
    (sa.BigInteger, "bigint"),
    (sa.Integer, "integer"),
    (sa.Boolean, "boolean"),
    (sa.Interval, "interval"),
    (sa.DateTime, "timestamptz"),
)


class RowSet:
    """Inserts and updates of these columns of a table. ``key`` finds the rows to be updated."""

    def __init__(self, table: sa.Table, columns: Iterable[str], key: Sequence[str]) -> None:
        self._columns = [table.c[name] for name in columns]
        names = [each.name for each in self._columns]
        arrays = ", ".join(f"CAST(:{each.name} AS {_type(each)}[])" for each in self._columns)
        values = {each.name: f"given.{each.name}" + ("::jsonb" if _json(each) else "") for each in self._columns}
        given = f"unnest({arrays}) AS given ({', '.join(names)})"
        changed = ", ".join(f"{name} = {value}" for name, value in values.items() if name not in key)
        found = " AND ".join(f"{table.name}.{name} = {values[name]}" for name in key)
        # names are those of the tables in this package
        self._insert = sa.text(
            f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(values.values())} FROM {given}"  # noqa: S608
        )
        self._update = sa.text(f"UPDATE {table.name} SET {changed} FROM {given} WHERE {found}")  # noqa: S608

    async def insert(self, conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            await conn.execute(self._insert, self._arrays(rows))

    async def update(self, conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            await conn.execute(self._update, self._arrays(rows))

    def _arrays(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
        return {
            each.name: [_text(row[each.name]) for row in rows] if _json(each) else [row[each.name] for row in rows]
            for each in self._columns
        }


def _json(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, JSONB)


def _text(value: Any) -> str | None:
    return None if value is None else to_json(value).decode()


def _type(column: sa.Column[Any]) -> str:
    for known, name in _TYPES:
        if isinstance(column.type, known):
            return name
    raise TypeError(f"{column} is of a type no array is known for")
