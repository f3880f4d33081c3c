"""Plans and records as others stated them; a state never replaces a later one."""

from __future__ import annotations

import sqlalchemy as sa
from indigo_contracts.dmp import PlanSnapshot
from indigo_contracts.repository import RecordSnapshot, RecordState
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_integrity.adapters.db import tables

_ALONE = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('plan ' || :plan_id, 0))")


class PlanRows:
    """``application.ports.Plans``. The maDMP document is left out: no test reads it."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def alone(self, plan_id: str) -> None:
        await self._conn.execute(_ALONE, {"plan_id": plan_id})

    async def put(self, plan: PlanSnapshot) -> None:
        snapshot = plan.model_copy(update={"madmp": {}}).model_dump(mode="json")
        new = insert(tables.plans).values(plan_id=plan.plan_id, version=plan.version, snapshot=snapshot)
        columns = {"version": new.excluded.version, "snapshot": new.excluded.snapshot}
        await self._conn.execute(
            new.on_conflict_do_update(
                index_elements=["plan_id"], set_=columns, where=tables.plans.c.version < new.excluded.version
            )
        )

    async def get(self, plan_id: str) -> PlanSnapshot | None:
        found = await self._conn.execute(
            sa.select(tables.plans.c.snapshot).where(tables.plans.c.plan_id == plan_id)
        )
        snapshot = found.scalar_one_or_none()
        return PlanSnapshot.model_validate(snapshot) if snapshot else None


class RecordRows:
    """``application.ports.Records``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def put(self, record: RecordSnapshot) -> None:
        values = {
            "version": record.version,
            "edition": record.edition,
            "state": record.state.value,
            "plan_id": record.plan.plan_id if record.plan else None,
            "output": record.plan.output if record.plan else None,
            "snapshot": record.model_dump(mode="json"),
        }
        new = insert(tables.records).values(record_id=record.record_id, **values)
        await self._conn.execute(
            new.on_conflict_do_update(
                index_elements=["record_id"],
                set_={name: new.excluded[name] for name in values},
                where=tables.records.c.version < new.excluded.version,
            )
        )

    async def get(self, record_id: str) -> RecordSnapshot | None:
        found = await self._conn.execute(
            sa.select(tables.records.c.snapshot).where(tables.records.c.record_id == record_id)
        )
        snapshot = found.scalar_one_or_none()
        return RecordSnapshot.model_validate(snapshot) if snapshot else None

    async def published_of(self, plan_id: str) -> list[RecordSnapshot]:
        rows = tables.records.c
        found = await self._conn.execute(
            sa.select(rows.snapshot)
            .ext(distinct_on(rows.output))
            .where(rows.plan_id == plan_id, rows.state == RecordState.PUBLISHED.value, rows.output.is_not(None))
            .order_by(rows.output, rows.edition.desc(), rows.record_id.desc())
        )
        return [RecordSnapshot.model_validate(snapshot) for snapshot in found.scalars()]
