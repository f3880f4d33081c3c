"""Databases on a PostgreSQL server, addressed by URL: SQLAlchemy's form outside, libpq's form to asyncpg."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

import asyncpg

MAX_NAME_BYTES = 63
"""PostgreSQL's limit for an identifier (NAMEDATALEN - 1); it cuts longer ones silently."""

_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def quoted(name: str) -> str:
    """``name`` as an SQL identifier. Raises ``ValueError`` unless it is a-z, 0-9 and _."""
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_BYTES:
        raise ValueError(f"{name!r} is not a database name: use a-z, 0-9 and _, at most {MAX_NAME_BYTES}.")
    return f'"{name}"'


def database_url(server_url: str, name: str) -> str:
    """The URL of database ``name`` on the server of ``server_url``, for ``create_async_engine``.

    ``server_url`` may be written ``postgres://``, ``postgresql://`` or ``postgresql+asyncpg://``.
    """
    parts = _split(server_url)
    query = [("ssl" if key == "sslmode" else key, value) for key, value in parse_qsl(parts.query)]
    text = f"postgresql+asyncpg://{parts.netloc}/{quote(name)}"
    return f"{text}?{urlencode(query, safe='/')}" if query else text


def database_name(url: str) -> str:
    """The database a URL names; ``postgres`` when it names none."""
    return _split(url).path.lstrip("/") or "postgres"


def libpq_url(url: str) -> str:
    """The same address as asyncpg, psql and pg_dump read it: no driver, ``sslmode`` for ``ssl``."""
    parts = _split(url)
    query = [("sslmode" if key == "ssl" else key, value) for key, value in parse_qsl(parts.query)]
    text = f"postgresql://{parts.netloc}/{database_name(url)}"
    return f"{text}?{urlencode(query, safe='/')}" if query else text


async def ensure_databases(server_url: str, names: Iterable[str]) -> list[str]:
    """Create the databases that are missing and return their names.

    Connects to the database ``server_url`` names. The role needs CREATEDB only when one is missing.
    Two callers at once are fine.
    """
    created = []
    connection = await asyncpg.connect(libpq_url(server_url))
    try:
        for name in names:
            if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                continue
            try:
                await connection.execute(f"CREATE DATABASE {quoted(name)} ENCODING 'UTF8' TEMPLATE template0")
            except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                continue  # another process made it between the question and the statement
            created.append(name)
    finally:
        await connection.close()
    return created


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql", "postgresql+asyncpg"}:
        raise ValueError(
            f"{parts.scheme or 'an empty scheme'}: not a PostgreSQL URL; write postgresql://host/database."
        )
    return parts
