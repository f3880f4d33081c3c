"""Copies and moves under way, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from indigo_contracts.envelope import Actor
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_qos_gateway.adapters.db.objects import among, at_or_below
from indigo_qos_gateway.adapters.db.tables import transfers
from indigo_qos_gateway.domain.paths import lineage
from indigo_qos_gateway.domain.transfer import Transfer, TransferKind, TransferStage

# Asked at every write, so it is put together once.
_ABOVE = sa.any_(sa.bindparam("above", type_=sa.ARRAY(sa.Text)))
_OVER = sa.select(transfers).where(
    sa.or_(
        sa.and_(
            transfers.c.source == _ABOVE,
            transfers.c.kind != TransferKind.COPY.value,
            transfers.c.stage != TransferStage.FAILED.value,
        ),
        sa.and_(transfers.c.path == _ABOVE, transfers.c.stage == TransferStage.COPYING.value),
    )
)


class SqlTransfers:
    """Implements ``application.row_ports.Transfers``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def get(self, transfer_id: str, *, for_update: bool = False) -> Transfer | None:
        statement = sa.select(transfers).where(transfers.c.id == transfer_id)
        if for_update:
            statement = statement.with_for_update()
        row = (await self._conn.execute(statement)).one_or_none()
        return None if row is None else transfer_of(row._asdict())

    async def add(self, new: Transfer) -> None:
        await self._conn.execute(sa.insert(transfers).values(_values(new)))

    async def save(self, changed: Transfer) -> None:
        await self._conn.execute(sa.update(transfers).where(transfers.c.id == changed.id).values(_values(changed)))

    async def remove(self, transfer_id: str) -> None:
        await self._conn.execute(sa.delete(transfers).where(transfers.c.id == transfer_id))

    async def forget(self, path: str) -> None:
        await self._conn.execute(
            sa.delete(transfers).where(
                at_or_below(transfers.c.path, path), transfers.c.stage == TransferStage.FAILED.value
            )
        )

    async def taking(self, path: str) -> Transfer | None:
        above = list(lineage(path))
        return await self._one(
            sa.or_(among(transfers.c.source, above), at_or_below(transfers.c.source, path)),
            transfers.c.kind != TransferKind.COPY.value,
            transfers.c.stage != TransferStage.FAILED.value,
        )

    async def making(self, path: str) -> Transfer | None:
        above = list(lineage(path))
        return await self._one(
            sa.or_(among(transfers.c.path, above), at_or_below(transfers.c.path, path)),
            transfers.c.stage != TransferStage.FAILED.value,
        )

    async def over(self, path: str) -> Sequence[Transfer]:
        rows = await self._conn.execute(_OVER, {"above": list(lineage(path))})
        return [transfer_of(row._asdict()) for row in rows]

    async def _one(self, *conditions: sa.ColumnElement[bool]) -> Transfer | None:
        row = (await self._conn.execute(sa.select(transfers).where(*conditions).limit(1))).one_or_none()
        return None if row is None else transfer_of(row._asdict())


def transfer_of(row: Mapping[str, Any]) -> Transfer:
    """One row, or the JSON of one."""
    return Transfer(
        id=row["id"],
        kind=TransferKind(row["kind"]),
        source=row["source"],
        path=row["path"],
        wish=row["wish"],
        actor=Actor(iss=row["actor"][0], sub=row["actor"][1]) if row["actor"] else None,
        total=row["total"],
        done=row["done"],
        stage=TransferStage(row["stage"]),
        error=row["error"],
    )


def _values(transfer: Transfer) -> dict[str, Any]:
    return {
        "id": transfer.id,
        "kind": transfer.kind.value,
        "source": transfer.source,
        "path": transfer.path,
        "wish": dict(transfer.wish),
        "actor": [transfer.actor.iss, transfer.actor.sub] if transfer.actor else None,
        "total": transfer.total,
        "done": transfer.done,
        "stage": transfer.stage.value,
        "error": transfer.error,
    }
