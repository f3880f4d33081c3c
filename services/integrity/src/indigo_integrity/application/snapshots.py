"""What other services state about plans and records, kept for the tests that need it."""

from __future__ import annotations

from datetime import timedelta

from indigo_contracts.dmp import PlanSnapshot
from indigo_contracts.repository import RecordSnapshot, RecordState

from indigo_integrity.application.ports import Work
from indigo_integrity.application.runs import request_due_runs


async def keep_plan(work: Work, plan: PlanSnapshot) -> None:
    """Remember a plan's state, and run what became due by it."""
    await work.plans.alone(plan.plan_id)
    await work.plans.put(plan)
    await request_due_runs(work, plan.plan_id)


async def keep_record(work: Work, record: RecordSnapshot, fixity_interval: timedelta) -> None:
    """Remember a record's state, run what became due by it, and schedule the re-reading of its files."""
    if record.plan:
        await work.plans.alone(record.plan.plan_id)
    await work.records.put(record)
    known = await work.records.get(record.record_id)
    assert known is not None  # just stored, this state or a later one
    if known.state is not RecordState.PUBLISHED:
        await work.fixity.drop(record.record_id)
        return
    if known.files:
        await work.fixity.plan(record.record_id, work.now + fixity_interval)
    if known.plan:
        await request_due_runs(work, known.plan.plan_id)
