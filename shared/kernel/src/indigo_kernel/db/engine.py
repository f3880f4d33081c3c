"""One engine factory for the embedded and the real PostgreSQL."""

from __future__ import annotations

import time
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

TRUSTED_FOR = 5.0
"""Seconds a connection that came back in order is taken to be alive without asking the server."""


LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InternalClientError,  # what a connection says whose end has just arrived
)
"""What asyncpg raises, used without SQLAlchemy, when a connection is no more."""


class DatabaseAway(ConnectionError):
    """No connection to PostgreSQL can be made now."""


def create_engine(url: str, *, application: str, pool_size: int = 10) -> AsyncEngine:
    """An engine for ``postgresql+asyncpg://`` URLs. ``application`` names it in ``pg_stat_activity``.

    A connection that has rested is checked before use, so a restarted server is noticed there and not by a
    request. A statement may take 60 s and wait 10 s for a lock: no request outlives its client for long.
    """
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        connect_args={
            "command_timeout": 60,
            "server_settings": {
                "application_name": application,
                "lock_timeout": "10s",
                "idle_in_transaction_session_timeout": "60s",
                "timezone": "UTC",
            },
        },
    )
    _say_when_away(engine)
    _check_rested_connections(engine)
    return engine


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The same pool for queries that need no transaction: three round trips fewer than with one."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def _say_when_away(engine: AsyncEngine) -> None:
    """Tell a server that is not there from every other ``OSError``: requests then answer 503, not 500."""

    @sa.event.listens_for(engine.sync_engine, "do_connect")
    def connect(dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
        try:
            return dialect.connect(*arguments, **options)
        except OSError as error:
            raise DatabaseAway(f"PostgreSQL cannot be reached: {error}") from error


def _check_rested_connections(engine: AsyncEngine) -> None:
    """Ping on checkout, like ``pool_pre_ping``, but not the connections that were in use just now."""
    dialect = engine.sync_engine.dialect

    @sa.event.listens_for(engine.sync_engine, "checkin")
    def note(_connection: Any, record: Any) -> None:
        record.info["back_at"] = time.monotonic()

    @sa.event.listens_for(engine.sync_engine, "checkout")
    def check(connection: Any, record: Any, _proxy: Any) -> None:
        back_at = record.info.get("back_at")
        if back_at is None or time.monotonic() - back_at < TRUSTED_FOR:
            return
        try:
            alive = dialect.do_ping(connection)
        except dialect.dbapi.Error as error:  # type: ignore[union-attr]
            raise DisconnectionError("the server closed the connection") from error
        if not alive:
            raise DisconnectionError("the server closed the connection")
