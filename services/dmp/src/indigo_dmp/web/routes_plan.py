"""The plan at its address: for people a page, for programs JSON, by ``Accept`` (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from indigo_contracts.dmp import PlanSnapshot
from indigo_kernel.auth.dependency import Who
from indigo_kernel.auth.principal import Principal
from indigo_kernel.etag import etag, not_modified
from indigo_kernel.http.openapi import responses
from indigo_kernel.problems import Gone, NotFound
from indigo_ui import Pages
from indigo_ui.negotiation import wants_page

from indigo_dmp.application.access import readable_plan, sees_all
from indigo_dmp.application.ports import PlanVersion, Work
from indigo_dmp.domain.plan import Change, Plan, published_snapshot, snapshot, version_snapshot
from indigo_dmp.web.ledger_view import ledger_view, persistent_url
from indigo_dmp.web.page import MOST_VERSIONS, context

OpenWork = Callable[[], AbstractAsyncContextManager[Work]]

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]

_VARY = "Accept, Authorization"
_BRAND = "Data management plans"
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {"schema": {"type": "string"}}}},
    **responses(NotFound, Gone),
}


def plan_router(works: OpenWork) -> APIRouter:
    """``GET /plans/{plan_id}`` and ``GET /plans/{plan_id}/versions/{number}``."""
    router = APIRouter(tags=["plans"])
    pages = Pages("indigo_dmp.web")

    def page(shown: dict[str, Any]) -> Response:
        # The ledger changes without the plan: there is no tag that could say the page is the same.
        headers = {"vary": _VARY, "cache-control": "no-cache"}
        return pages.response("plan.html", {**shown, "brand": _BRAND}, headers=headers)

    def message(error: NotFound | Gone, plan_id: str) -> Response:
        title = error.extra.get("plan_title", "No such plan")
        shown = {"title": title, "subject": plan_id, "detail": error.detail, "brand": _BRAND}
        return pages.response("message.html", shown, status_code=error.status, headers={"vary": _VARY})

    @router.get("/plans/{plan_id}", response_model=PlanSnapshot, responses=_ANSWERS)
    async def get_plan(plan_id: str, request: Request, who: Who) -> Response:
        """One plan: the newest version for its owner, the published edition for everybody else.

        As JSON unless HTML is asked for by name; the page shows the ledger, too.
        """
        as_page = wants_page(request.headers.get("accept"))
        try:
            async with works() as work:
                plan = await readable_plan(work, plan_id, who)
                url = work.plan_url(plan.id)
                seen = (snapshot if sees_all(plan, who) else published_snapshot)(plan, url=url)
                if as_page:
                    return page(await _shown(work, plan, seen, who))
        except (NotFound, Gone) as error:
            return _refused(error, message(error, plan_id) if as_page else None)
        return not_modified(request, etag(seen.version)) or _json(seen, tagged=True)

    @router.get("/plans/{plan_id}/versions/{number}", response_model=PlanSnapshot, responses=_ANSWERS)
    async def get_plan_version(plan_id: str, number: Number, request: Request, who: Who) -> Response:
        """A plan as it was. ``published_at`` is there when this version was a publication."""
        as_page = wants_page(request.headers.get("accept"))
        try:
            async with works() as work:
                plan = await readable_plan(work, plan_id, who)
                seen = _as_it_was(plan, await work.plans.version(plan.id, number), number, who, work)
                if as_page:
                    return page(await _shown_version(work, plan, seen, who))
        except (NotFound, Gone) as error:
            return _refused(error, message(error, plan_id) if as_page else None)
        return _json(seen, tagged=False)

    return router


def _as_it_was(plan: Plan, row: PlanVersion | None, number: int, who: Principal, work: Work) -> PlanSnapshot:
    """Raises ``NotFound`` unless ``who`` may see the version."""
    if row is None or not (sees_all(plan, who) or row.change is Change.PUBLISHED):
        raise NotFound(f"The plan has no version {number}")
    return version_snapshot(
        plan,
        row.document,
        version=row.version,
        edition=row.edition,
        state=row.state,
        published_at=row.changed_at if row.change is Change.PUBLISHED else None,
        url=work.plan_url(plan.id),
    )


async def _shown(work: Work, plan: Plan, seen: PlanSnapshot, who: Principal) -> dict[str, Any]:
    promises = await work.promises.of_plan(plan.id) if plan.published else []
    promised = published_snapshot(plan, url=seen.url) if plan.published else seen
    return context(
        seen,
        address=seen.url,
        cite_as=persistent_url(promises) or seen.url,
        ledger=ledger_view(promises, promised) if plan.published and not plan.withdrawal else None,
        versions=await _versions(work, plan, who),
        notices=_notices(plan, seen),
    )


async def _shown_version(work: Work, plan: Plan, seen: PlanSnapshot, who: Principal) -> dict[str, Any]:
    address = f"{seen.url}/versions/{seen.version}"
    return context(
        seen,
        address=address,
        cite_as=address,
        ledger=None,
        versions=await _versions(work, plan, who),
        notices=[f"This is version {seen.version}, as it was. The plan and its ledger are at {seen.url}"],
    )


async def _versions(work: Work, plan: Plan, who: Principal) -> list[PlanVersion]:
    published_only = not sees_all(plan, who)
    rows = await work.plans.versions(plan.id, published_only=published_only, before=None, limit=MOST_VERSIONS + 1)
    return list(rows)


def _notices(plan: Plan, seen: PlanSnapshot) -> list[str]:
    if plan.withdrawal:
        return [f"This plan was withdrawn: {plan.withdrawal.reason}"]
    if plan.published is None:
        return ["This is a draft. Others do not see it."]
    if seen.version != plan.published.version:
        return [f"You see changes that are not published. Others see edition {plan.edition}."]
    return []


def _json(plan: PlanSnapshot, *, tagged: bool) -> Response:
    headers = {"vary": _VARY} | ({"etag": etag(plan.version)} if tagged else {})
    return Response(plan.model_dump_json(), media_type="application/json", headers=headers)


def _refused(error: NotFound | Gone, page: Response | None) -> Response:
    """The page about what is not there; without one ``error`` is raised, to become a problem document."""
    if page is None:
        error.headers["vary"] = _VARY
        raise error
    return page
