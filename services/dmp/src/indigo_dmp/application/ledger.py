"""Keep the ledger: open it at publication, enter evidence, mark what is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import structlog
from indigo_contracts.dmp import PlanSnapshot, PromiseBroken, PromiseKept, PromiseState
from indigo_kernel.ids import new_id

from indigo_dmp.application.ports import Work
from indigo_dmp.domain.ledger import Promise, judge, promised, renewed, snapshot
from indigo_dmp.domain.readings import Reading

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

DUE_JOB = "promises.due"
"""Kind of the jobs that look at a plan's promises on the day after one is due (UTC)."""


async def open_ledger(work: Work, plan: PlanSnapshot) -> None:
    """Enter what an edition promises, keep the history of what it promised before, retire the rest.

    What is known already counts for a new promise: the evidence may be older than the edition.
    """
    today = work.now.date()
    before = {promise.terms.slot: promise for promise in await work.promises.of_plan(plan.plan_id)}
    known = await work.promises.known(plan.plan_id)
    for position, terms in enumerate(promised(plan)):
        old = before.pop(terms.slot, None)
        blank = old or Promise(new_id(), plan.plan_id, terms, since=work.now)
        promise = judge(renewed(blank, terms, work.now, today), known, today)
        await work.promises.put(promise, position)
        _tell(work, blank, promise)
    for promise in before.values():
        if promise.retired_at is None:
            await work.promises.save(replace(promise, retired_at=work.now))
    for due in sorted({output.due for output in plan.outputs if output.due and output.due >= today}):
        run_at = datetime.combine(due + timedelta(days=1), time(), UTC)
        await work.enqueue(DUE_JOB, f"{plan.plan_id}/{due}", {"plan_id": plan.plan_id}, run_at=run_at)


async def close_ledger(work: Work, plan_id: str) -> None:
    """Retire every promise of a withdrawn plan."""
    for promise in await work.promises.of_plan(plan_id):
        if promise.retired_at is None:
            await work.promises.save(replace(promise, retired_at=work.now))


async def record_evidence(work: Work, readings: Sequence[Reading]) -> None:
    """Enter what an event says into the history, and judge the promises it concerns."""
    for plan_id, output in dict.fromkeys((reading.plan_id, reading.output) for reading in readings):
        # The lock keeps a publication of the plan, and other evidence about it, apart from this.
        if await work.plans.get(plan_id, lock=True) is None:
            log.info("evidence.unknown_plan", plan_id=plan_id)
            continue
        said = [reading for reading in readings if (reading.plan_id, reading.output) == (plan_id, output)]
        await work.promises.note(said)
        for promise in await work.promises.of_output(plan_id, output):
            judged = judge(promise, said, work.now.date())
            if judged != promise:
                await work.promises.save(judged)
                _tell(work, promise, judged)


async def mark_due(work: Work, plan_id: str) -> None:
    """Turn planned promises whose day has passed into due ones."""
    if await work.plans.get(plan_id, lock=True) is None:
        return  # the plan is gone, and its promises with it
    for promise in await work.promises.of_plan(plan_id):
        judged = judge(promise, (), work.now.date())
        if judged != promise and promise.retired_at is None:
            await work.promises.save(judged)
            _tell(work, promise, judged)


def _tell(work: Work, before: Promise, after: Promise) -> None:
    if before.state is after.state:
        return
    facts = {PromiseState.KEPT: PromiseKept, PromiseState.BROKEN: PromiseBroken}
    fact = facts.get(after.state)
    if fact:
        work.emit(fact(promise=snapshot(after)), subject=f"promises/{after.id}", version=after.revision)
