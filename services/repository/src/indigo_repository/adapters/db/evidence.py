"""Preservation events, test results and plans in PostgreSQL."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from indigo_contracts.envelope import Actor
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_repository.adapters.db.tables import plans, premis_events, test_results
from indigo_repository.domain.plan import PlanEdition
from indigo_repository.domain.premis import EventType, PreservationEvent
from indigo_repository.domain.results import TestResult

_LOCK_PLAN = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:plan_id, 0))")


class EventRows:
    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def add(self, *events: PreservationEvent) -> None:
        rows = [
            {
                "record_id": event.record_id,
                "type": event.type.value,
                "at": event.at,
                "outcome": event.outcome,
                "summary": event.summary,
                "agent": event.agent,
                "files": list(event.files),
                "detail": event.detail,
            }
            for event in events
        ]
        if rows:
            await self._conn.execute(sa.insert(premis_events), rows)

    async def of(self, record_id: str, *, after: int | None, limit: int) -> list[PreservationEvent]:
        query = sa.select(premis_events).where(premis_events.c.record_id == record_id)
        if after is not None:
            query = query.where(premis_events.c.id > after)
        rows = await self._conn.execute(query.order_by(premis_events.c.id).limit(limit))
        return [_event(row) for row in rows]


def _event(row: sa.Row[Any]) -> PreservationEvent:
    return PreservationEvent(
        record_id=row.record_id,
        type=EventType(row.type),
        at=row.at,
        outcome=row.outcome,
        summary=row.summary,
        agent=row.agent,
        files=tuple(row.files),
        detail=row.detail,
        id=row.id,
    )


class ResultRows:
    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def put(self, result: TestResult) -> bool:
        row = asdict(result)
        statement = insert(test_results).values(row)
        statement = statement.on_conflict_do_update(
            index_elements=["record_id", "test"],
            set_={name: statement.excluded[name] for name in row if name not in {"record_id", "test"}},
            where=test_results.c.finished_at < statement.excluded.finished_at,
        )
        done = await self._conn.execute(statement.returning(test_results.c.run_id))
        return done.first() is not None

    async def of(self, record_id: str) -> list[TestResult]:
        query = sa.select(test_results).where(test_results.c.record_id == record_id).order_by(test_results.c.test)
        return [TestResult(**row._mapping) for row in await self._conn.execute(query)]  # noqa: SLF001


class PlanRows:
    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def get(self, plan_id: str) -> PlanEdition | None:
        # The plan may have no row yet, so the lock is on its name.
        await self._conn.execute(_LOCK_PLAN, {"plan_id": plan_id})
        row = (await self._conn.execute(sa.select(plans).where(plans.c.plan_id == plan_id))).one_or_none()
        if row is None:
            return None
        owner = Actor(iss=row.owner_iss, sub=row.owner_sub) if row.owner_iss is not None else None
        return PlanEdition(row.plan_id, row.version, row.edition, row.withdrawn, owner, row.url)

    async def url(self, plan_id: str) -> str | None:
        query = sa.select(plans.c.url).where(plans.c.plan_id == plan_id)
        return (await self._conn.execute(query)).scalar_one_or_none()

    async def put(self, plan: PlanEdition) -> None:
        row = {
            "plan_id": plan.plan_id,
            "version": plan.version,
            "edition": plan.edition,
            "withdrawn": plan.withdrawn,
            "owner_iss": plan.owner.iss if plan.owner else None,
            "owner_sub": plan.owner.sub if plan.owner else None,
            "url": plan.url,
        }
        statement = insert(plans).values(row)
        await self._conn.execute(
            statement.on_conflict_do_update(
                index_elements=["plan_id"],
                set_={name: statement.excluded[name] for name in row if name != "plan_id"},
            )
        )
