"""Domains in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from indigo_kernel.db.tables import Instant
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_qos_gateway.adapters.db.objects import in_places
from indigo_qos_gateway.adapters.db.tables import domains, nodes, objects
from indigo_qos_gateway.domain.domain import Domain, Totals
from indigo_qos_gateway.domain.node import NodeKind
from indigo_qos_gateway.domain.paths import Places, parent
from indigo_qos_gateway.domain.storage import ObjectType


class SqlDomains:
    """Implements ``application.node_ports.Domains``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def find(self, path: str) -> Domain | None:
        return await self._one(domains.c.path == path)

    async def by_id(self, object_id: str) -> Domain | None:
        return await self._one(domains.c.object_id == object_id.upper())

    async def inside(self, path: str) -> Sequence[Domain]:
        rows = await self._conn.execute(
            sa.select(domains).where(domains.c.parent == path).order_by(domains.c.path)
        )
        return [_domain(row) for row in rows]

    async def add(self, new: Domain) -> None:
        values = {**_changing(new), "object_id": new.object_id, "created_at": new.created_at, "path": new.path}
        await self._conn.execute(sa.insert(domains).values(**values, parent=parent(new.path)))

    async def save(self, changed: Domain) -> None:
        await self._conn.execute(
            sa.update(domains).where(domains.c.path == changed.path).values(_changing(changed))
        )

    async def remove(self, path: str) -> None:
        await self._conn.execute(sa.delete(domains).where(domains.c.path == path))

    async def totals(self, path: str, now: datetime, shown: Places | None = None) -> Totals:
        def mine(table: sa.Table) -> sa.ColumnElement[bool]:
            there = sa.true() if shown is None else in_places(table.c.path, shown)
            return sa.and_(table.c.domain == path, there)

        age = sa.extract("epoch", sa.literal(now, Instant) - objects.c.created_at)
        kinds = await self._conn.execute(
            sa.select(objects.c.object_type, sa.func.count(), sa.func.sum(age))
            .where(mine(objects))
            .group_by(objects.c.object_type)
        )
        found = {kind: (count, seconds) for kind, count, seconds in kinds}
        queues = await self._conn.execute(
            sa.select(sa.func.count()).where(mine(nodes), nodes.c.kind == NodeKind.QUEUE.value)
        )
        count, seconds = found.get(ObjectType.DATAOBJECT.value, (0, 0))
        containers, _ = found.get(ObjectType.CONTAINER.value, (0, 0))
        return Totals(count, containers, queues.scalar_one(), float(seconds) / 3600)

    async def reassign(self, path: str, to: str) -> None:
        for table in (objects, nodes):
            await self._conn.execute(sa.update(table).where(table.c.domain == path).values(domain=to))

    async def _one(self, condition: sa.ColumnElement[bool]) -> Domain | None:
        row = (await self._conn.execute(sa.select(domains).where(condition))).one_or_none()
        return None if row is None else _domain(row)


def _changing(domain: Domain) -> dict[str, Any]:
    return {"metadata": dict(domain.metadata), "members": dict(domain.members)}


def _domain(row: sa.Row[Any]) -> Domain:
    return Domain(row.object_id, row.path, row.created_at, row.metadata, row.members)
