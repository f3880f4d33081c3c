"""Plans' storage promises and the records that answer to them, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from indigo_contracts.dmp import StoragePromise
from indigo_contracts.repository import RecordSnapshot
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_qos_gateway.adapters.db.objects import among
from indigo_qos_gateway.adapters.db.tables import plans, records
from indigo_qos_gateway.domain.placement import PlanPromises


class SqlPlans:
    """Implements ``application.row_ports.Plans``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def find(self, plan_id: str) -> PlanPromises | None:
        row = (await self._conn.execute(sa.select(plans).where(plans.c.plan_id == plan_id))).one_or_none()
        if row is None:
            return None
        outputs = {key: StoragePromise.model_validate(promise) for key, promise in row.outputs.items()}
        return PlanPromises(row.plan_id, row.edition, row.version, outputs)

    async def save(self, promises: PlanPromises) -> None:
        values = {
            "plan_id": promises.plan_id,
            "edition": promises.edition,
            "version": promises.version,
            "outputs": {key: promise.model_dump(mode="json") for key, promise in promises.outputs.items()},
        }
        await self._conn.execute(
            insert(plans).values(values).on_conflict_do_update(index_elements=[plans.c.plan_id], set_=values)
        )


class SqlRecords:
    """Implements ``application.row_ports.Records``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def find(self, record_id: str) -> RecordSnapshot | None:
        statement = sa.select(records.c.snapshot).where(records.c.record_id == record_id)
        snapshot = (await self._conn.execute(statement)).scalar_one_or_none()
        return None if snapshot is None else RecordSnapshot.model_validate(snapshot)

    async def many(self, record_ids: Sequence[str]) -> Mapping[str, RecordSnapshot]:
        rows = await self._conn.execute(
            sa.select(records.c.snapshot).where(among(records.c.record_id, record_ids))
        )
        found = [RecordSnapshot.model_validate(each) for each in rows.scalars()]
        return {record.record_id: record for record in found}

    async def save(self, record: RecordSnapshot) -> None:
        assert record.plan is not None
        values = {
            "record_id": record.record_id,
            "plan_id": record.plan.plan_id,
            "version": record.version,
            "snapshot": record.model_dump(mode="json"),
        }
        await self._conn.execute(
            insert(records).values(values).on_conflict_do_update(index_elements=[records.c.record_id], set_=values)
        )

    async def of_plan(self, plan_id: str) -> Sequence[RecordSnapshot]:
        statement = sa.select(records.c.snapshot).where(records.c.plan_id == plan_id).order_by(records.c.record_id)
        return [RecordSnapshot.model_validate(each) for each in (await self._conn.execute(statement)).scalars()]
