"""What was asked of tape systems that forget nothing, in PostgreSQL: their names of our requests."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from indigo_qos_gateway.adapters.db.tables import stage_requests


class SqlStageRequests:
    """Implements ``application.ports.StageRequests``; each call is a transaction of its own."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, backend: str, path: str) -> str | None:
        async with self._engine.connect() as conn:
            row = (
                await conn.execute(
                    sa.select(stage_requests.c.request).where(
                        stage_requests.c.backend == backend, stage_requests.c.path == path
                    )
                )
            ).one_or_none()
        return None if row is None else row.request

    async def save(self, backend: str, path: str, request: str) -> None:
        statement = insert(stage_requests).values(backend=backend, path=path, request=request)
        async with self._engine.begin() as conn:
            await conn.execute(
                statement.on_conflict_do_update(
                    index_elements=[stage_requests.c.backend, stage_requests.c.path],
                    set_={"request": statement.excluded.request},
                )
            )

    async def forget(self, backend: str, path: str) -> None:
        there = sa.func.starts_with(stage_requests.c.path, path.rstrip("/") + "/")
        async with self._engine.begin() as conn:
            await conn.execute(
                sa.delete(stage_requests).where(
                    stage_requests.c.backend == backend, sa.or_(stage_requests.c.path == path, there)
                )
            )
