"""One engine factory for the embedded and the real PostgreSQL."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


def create_engine(url: str, *, application: str, pool_size: int = 10) -> AsyncEngine:
    """An engine for ``postgresql+asyncpg://`` URLs. ``application`` names it in ``pg_stat_activity``.

    Idle connections are checked before use, so a restarted server is noticed there and not by a request.
    A statement may take 60 s and wait 10 s for a lock: no request outlives its client for long.
    """
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
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
