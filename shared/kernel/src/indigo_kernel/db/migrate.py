"""Alembic for one service: upgrade, and refuse to start on a revision that is not the head."""

from __future__ import annotations

import asyncio
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

_LOCK = 0x1D160  # advisory lock: one migrator of a database at a time

# Alembic keeps the running migration in a global: two of one process must not interleave.
_ALONE = asyncio.Lock()


class SchemaBehind(RuntimeError):
    """The database is not at the revision this release needs; the text names the command to run."""


def config(migrations: Path) -> Config:
    """Alembic configuration of the service whose ``migrations`` folder is given."""
    result = Config()
    result.set_main_option("script_location", str(migrations))
    return result


def _upgrade(connection: Connection, migrations: Path, revision: str) -> None:
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    connection.execute(sa.text("SET LOCAL lock_timeout = '5s'"))
    cfg = config(migrations)
    cfg.attributes["connection"] = connection
    command.upgrade(cfg, revision)


async def upgrade(engine: AsyncEngine, migrations: Path, revision: str = "head") -> None:
    """Bring the database to ``revision`` in one transaction; several callers at once are safe."""
    async with _ALONE, engine.begin() as conn:
        await conn.run_sync(_upgrade, migrations, revision)


def _downgrade(connection: Connection, migrations: Path, revision: str) -> None:
    cfg = config(migrations)
    cfg.attributes["connection"] = connection
    command.downgrade(cfg, revision)


async def downgrade(engine: AsyncEngine, migrations: Path, revision: str) -> None:
    async with _ALONE, engine.begin() as conn:
        await conn.run_sync(_downgrade, migrations, revision)


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


async def check(engine: AsyncEngine, migrations: Path, service: str) -> None:
    """Raise ``SchemaBehind`` unless the database is at the head revision."""
    head = ScriptDirectory.from_config(config(migrations)).get_current_head()
    async with engine.connect() as conn:
        current = await conn.run_sync(_current)
    if current != head:
        package = f"indigo_{service.replace('-', '_')}"
        raise SchemaBehind(
            f"The database of {service} is at revision {current or 'none'}, this release needs {head}."
            f" Run: python -m {package} migrate"
        )


def run_env(metadata: sa.MetaData) -> None:
    """The whole of a service's ``migrations/env.py``: run with the connection that ``upgrade`` hands over."""
    from alembic import context

    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    context.run_migrations()
