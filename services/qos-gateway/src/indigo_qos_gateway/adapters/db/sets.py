"""Many rows written by one statement, however many they are: they travel as one JSON text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]

Rows = Iterable[Mapping[str, Any]]


class RowSet:
    """Inserts and updates of these columns of a table. ``key`` finds the rows to be updated."""

    def __init__(self, table: sa.Table, columns: Sequence[str], key: Sequence[str]) -> None:
        # Names of columns are of a class of their own, which takes ten times as long to be written.
        self._columns = [str.__str__(name) for name in columns]
        typed = ", ".join(f"{name} {table.c[name].type.compile(_DIALECT)}" for name in columns)
        given = f"jsonb_to_recordset(CAST(:rows AS jsonb)) AS given ({typed})"
        changed = ", ".join(f"{name} = given.{name}" for name in columns if name not in key)
        found = " AND ".join(f"{table.name}.{name} = given.{name}" for name in key)
        # names are those of the tables in this package
        self._insert = sa.text(f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT * FROM {given}")  # noqa: S608
        self._update = sa.text(f"UPDATE {table.name} SET {changed} FROM {given} WHERE {found}")  # noqa: S608

    async def insert(self, conn: AsyncConnection, rows: Rows) -> None:
        await self._write(conn, self._insert, rows)

    async def update(self, conn: AsyncConnection, rows: Rows) -> None:
        await self._write(conn, self._update, rows)

    async def _write(self, conn: AsyncConnection, statement: sa.TextClause, rows: Rows) -> None:
        given = [{name: row[name] for name in self._columns} for row in rows]
        if given:
            await conn.execute(statement, {"rows": to_json(given).decode()})
