"""The ledger: what a plan promises, and how it stands."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from fastapi import APIRouter
from indigo_contracts.dmp import PromiseState
from indigo_kernel.http.openapi import responses
from indigo_kernel.pagination import Paging
from indigo_kernel.problems import Gone, NotFound

from indigo_dmp.api.deps import Who, Works
from indigo_dmp.api.schemas import HistoryEntry, LedgerView, PromiseCounts, PromiseView
from indigo_dmp.application.access import readable_plan
from indigo_dmp.domain.ledger import snapshot

router = APIRouter(tags=["ledger"], responses=responses(NotFound, Gone))


@router.get("/plans/{plan_id}/promises")
async def list_plan_promises(plan_id: str, who: Who, works: Works) -> LedgerView:
    """The promises of the newest edition and how they stand; none before the plan is published."""
    async with works() as work:
        plan = await readable_plan(work, plan_id, who)
        promises = await work.promises.of_plan(plan.id)
    items = [snapshot(promise) for promise in promises if promise.retired_at is None]
    counts = Counter(item.state for item in items)
    summary = PromiseCounts(**{state.value: counts[state] for state in PromiseState})
    return LedgerView(plan_id=plan.id, summary=summary, items=items)


@router.get("/plans/{plan_id}/promises/{promise_id}")
async def get_plan_promise(plan_id: str, promise_id: str, who: Who, works: Works, paging: Paging) -> PromiseView:
    """One promise with everything that was said about it, the newest first. Retired promises stay readable."""
    before = _position(paging.after) if paging.after else None
    async with works() as work:
        plan = await readable_plan(work, plan_id, who)
        promise = await work.promises.get(plan.id, promise_id)
        if promise is None:
            raise NotFound("The plan has no such promise")
        rows = await work.promises.history(promise, before, paging.limit + 1)
    page = paging.page(
        [HistoryEntry(outcome=outcome, evidence=evidence) for evidence, outcome in rows],
        lambda entry: (entry.evidence.at, entry.evidence.event_id),
    )
    return PromiseView(
        promise=snapshot(promise),
        retired_at=promise.retired_at,
        history=page.items,
        next_cursor=page.next_cursor,
    )


def _position(after: tuple[object, ...]) -> tuple[datetime, str]:
    at, event_id = after
    assert isinstance(at, datetime)  # the cursor is signed: it was written here
    return at, str(event_id)
