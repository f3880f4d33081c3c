"""What is known of one object for showing it: one statement without a transaction."""

from __future__ import annotations

import sqlalchemy as sa
from indigo_kernel.db.engine import reading
from sqlalchemy.ext.asyncio import AsyncEngine

from indigo_qos_gateway.adapters.db.objects import stored_object
from indigo_qos_gateway.adapters.db.transfers import transfer_of
from indigo_qos_gateway.application.ports import Seen
from indigo_qos_gateway.domain.paths import ROOT, lineage, parent

_FIND = sa.text(
    "SELECT o.*, (SELECT object_id FROM objects WHERE path = :parent) AS parent_id,"
    " (SELECT target_class FROM transitions WHERE state IN ('SUBMITTED', 'STARTED') AND path = ANY(:lineage)"
    "  ORDER BY length(path) DESC LIMIT 1) AS moving_to,"
    " (SELECT array_agg(substr(path, length(parent) + CASE parent WHEN '/' THEN 1 ELSE 2 END)"
    "  || CASE kind WHEN 'reference' THEN '?' ELSE '' END) FROM nodes WHERE parent = :path) AS nodes,"
    " (SELECT to_json(t) FROM transfers t WHERE t.path = :path AND t.stage <> 'copied') AS transfer"
    " FROM objects o WHERE o.path = :path"
)


class SqlViews:
    """Implements ``application.ports.Views``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = reading(engine)

    async def find(self, path: str) -> Seen | None:
        async with self._engine.connect() as conn:
            found = await conn.execute(
                _FIND, {"path": path, "parent": parent(path), "lineage": list(lineage(path))}
            )
            row = found.one_or_none()
        if row is None or (row.parent_id is None and path != ROOT):
            return None
        transfer = transfer_of(row.transfer) if row.transfer else None
        above = None if path == ROOT else row.parent_id
        return Seen(stored_object(row), above, row.moving_to, row.nodes or (), transfer)
