"""Fresh databases for tests, made and dropped by name on one server."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from indigo_dev.databases import MAX_NAME_BYTES, database_name, database_url, libpq_url, quoted


class DatabaseMaker:
    """``await make_database("hint")`` is the URL of an empty database, for ``create_async_engine``.

    Every database lives until ``drop`` or the end of the run. A migrated one can serve as ``template`` for
    the others: copying takes a fraction of the time of migrating.
    """

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._made: list[str] = []

    async def __call__(self, hint: str, *, template: str | None = None) -> str:
        """A new database named after ``hint``, empty or a copy of ``template`` (its URL).

        Nobody may be connected to the template while it is copied: dispose its engine first.
        """
        name = _unique(hint)
        source = quoted(database_name(template)) if template else "template0"
        await self._execute(f"CREATE DATABASE {quoted(name)} TEMPLATE {source}")
        self._made.append(name)
        return database_url(self._server_url, name)

    async def drop(self, url: str) -> None:
        """Drop a database of ours now, whoever is connected to it."""
        name = database_name(url)
        self._made.remove(name)
        await self._execute(f"DROP DATABASE {quoted(name)} WITH (FORCE)")

    async def drop_all(self) -> None:
        while self._made:
            name = self._made.pop()
            await self._execute(f"DROP DATABASE {quoted(name)} WITH (FORCE)")

    @asynccontextmanager
    async def temporary(self, hint: str, *, template: str | None = None) -> AsyncIterator[str]:
        """A database for the length of a ``with`` block."""
        url = await self(hint, template=template)
        try:
            yield url
        finally:
            await self.drop(url)

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(libpq_url(self._server_url))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def _unique(hint: str) -> str:
    """A name that says what it is for and that no parallel run has."""
    readable = re.sub(r"[^a-z0-9]+", "_", hint.lower()).strip("_") or "database"
    suffix = secrets.token_hex(5)
    return f"test_{readable}"[: MAX_NAME_BYTES - len(suffix) - 1] + f"_{suffix}"
