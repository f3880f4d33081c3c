"""Plans in this service's own words: listing, publication, versions. One plan is ``web.routes_plan``."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from indigo_contracts.dmp import PlanSnapshot
from indigo_kernel.etag import IfMatch, etag
from indigo_kernel.http.openapi import responses
from indigo_kernel.idempotency import idempotent
from indigo_kernel.pagination import Page, Paging
from indigo_kernel.problems import (
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    PreconditionRequired,
    StaleVersion,
    Unauthenticated,
)

from indigo_dmp.api.deps import Publisher, Who, Works
from indigo_dmp.api.schemas import PlanSummary, VersionSummary, Withdrawal
from indigo_dmp.application import plans
from indigo_dmp.application.access import readable_plan, sees_all
from indigo_dmp.domain.plan import published_snapshot, snapshot

router = APIRouter(tags=["plans"])

_READ = responses(NotFound, Gone)
_CHANGE = responses(Unauthenticated, Forbidden, NotFound, Gone, Conflict, StaleVersion, PreconditionRequired)


@router.get("/plans", responses=responses(Unauthenticated))
async def list_plans(who: Who, works: Works, paging: Paging) -> Page[PlanSummary]:
    """Your plans and the published ones of others, the newest first."""
    before = str(paging.after[0]) if paging.after else None
    async with works() as work:
        rows = await work.plans.page(who, before, paging.limit + 1)
        summaries = []
        for plan in rows:
            full = sees_all(plan, who)
            seen = (snapshot if full else published_snapshot)(plan, url=work.plan_url(plan.id))
            summaries.append(
                PlanSummary(
                    plan_id=plan.id,
                    title=seen.title,
                    state=seen.state,
                    version=seen.version,
                    edition=seen.edition,
                    created=seen.created,
                    modified=seen.modified,
                    mine=who.owns(plan.owner.iss, plan.owner.sub),
                    url=seen.url,
                )
            )
    return paging.page(summaries, lambda plan: (plan.plan_id,))


@router.post("/plans/{plan_id}/publish", response_model=PlanSnapshot, responses=_CHANGE)
async def publish_plan(
    plan_id: str, request: Request, who: Publisher, expected: IfMatch, works: Works
) -> Response:
    """Publish the next edition. Everything that keeps it from being published is told at once (422)."""
    async with works() as work:

        async def publish() -> Response:
            plan = await plans.publish_plan(work, plan_id, who, lambda plan: expected.check(plan.version))
            return _answer(published_snapshot(plan, url=work.plan_url(plan.id)))

        return await idempotent(request, work.conn, f"{who.iss} {who.sub}", publish, now=work.now, required=False)


@router.post("/plans/{plan_id}/withdraw", response_model=PlanSnapshot, responses=_CHANGE)
async def withdraw_plan(
    plan_id: str, body: Withdrawal, who: Publisher, expected: IfMatch, works: Works
) -> Response:
    """Withdraw a published plan. A tombstone with the reason stays."""
    async with works() as work:
        plan = await plans.withdraw_plan(
            work, plan_id, body.reason, who, lambda plan: expected.check(plan.version)
        )
        url = work.plan_url(plan.id)
    return _answer(published_snapshot(plan, url=url))


@router.get("/plans/{plan_id}/versions", responses=_READ)
async def list_plan_versions(plan_id: str, who: Who, works: Works, paging: Paging) -> Page[VersionSummary]:
    """The versions of a plan, the newest first: all of them for its owner, the published ones for others."""
    before = int(str(paging.after[0])) if paging.after else None
    async with works() as work:
        plan = await readable_plan(work, plan_id, who)
        rows = await work.plans.versions(
            plan.id, published_only=not sees_all(plan, who), before=before, limit=paging.limit + 1
        )
    summaries = [
        VersionSummary(
            version=row.version,
            edition=row.edition,
            state=row.state,
            change=row.change,
            changed_at=row.changed_at,
        )
        for row in rows
    ]
    return paging.page(summaries, lambda version: (version.version,))


def _answer(plan: PlanSnapshot) -> Response:
    return Response(
        plan.model_dump_json(),
        media_type="application/json",
        headers={"etag": etag(plan.version), "vary": "Authorization"},
    )
