"""Where the registration of each DOI stands."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from indigo_kernel.auth.dependency import Who
from indigo_kernel.etag import etag
from indigo_kernel.http.openapi import responses
from indigo_kernel.pagination import Page, Paging
from indigo_kernel.problems import Conflict, Forbidden, NotFound, Unauthenticated, Upstream

from indigo_pid.api.deps import Deps
from indigo_pid.api.schemas import DoiView, DriftView
from indigo_pid.application import dois
from indigo_pid.application.drift import find_drift
from indigo_pid.application.ports import RegistrarDown
from indigo_pid.domain.doi import Doi, DoiStatus

DoiName = Annotated[str, Path(max_length=2048, description="`10.x/suffix`")]
Status = Annotated[DoiStatus | None, Query(description="only registrations that stand so")]
EvenIfDone = Annotated[
    bool, Query(description="also when the registrar had everything; it may have drifted since")
]


def doi_routes(deps: Deps) -> APIRouter:
    """The routes under ``/api/dois``."""
    router = APIRouter(prefix="/api/dois", tags=["dois"])

    def view(doi: Doi) -> DoiView:
        registrar = deps.registrars.of(doi.doi)
        return DoiView.of(doi, None if registrar is None else registrar.name)

    @router.get("", responses=responses(Unauthenticated, Forbidden))
    async def list_dois(who: Who, paging: Paging, status: Status = None) -> Page[DoiView]:
        """Registrations by name. For operators."""
        after = str(paging.after[0]) if paging.after else None
        async with deps.work() as work:
            found = await dois.list_dois(work, status, who, after=after, limit=paging.limit + 1)
        return paging.page([view(one) for one in found], lambda shown: (shown.doi,))

    @router.get("/drift", responses=responses(Unauthenticated, Forbidden, Upstream))
    async def read_drift(who: Who) -> DriftView:
        """Compare every DOI the registrars list with what is wanted of it. For operators; changes nothing."""
        try:
            report = await find_drift(deps.work, deps.registrars, who)
        except RegistrarDown as error:
            raise Upstream(f"No registrar could be asked: {error.reason}") from error
        return DriftView.of(report)

    @router.get("/{doi:path}", responses=responses(NotFound))
    async def read_doi(response: Response, who: Who, doi: DoiName) -> DoiView:
        """What is wanted of the registrar, what it has, why not, and when it is asked next."""
        async with deps.work() as work:
            found = await dois.read_doi(work, doi, who)
        response.headers["etag"] = etag(found.version)
        return view(found)

    @router.post(
        "/{doi:path}/retry",
        status_code=202,
        responses=responses(Unauthenticated, Forbidden, NotFound, Conflict),
    )
    async def retry_doi(response: Response, who: Who, doi: DoiName, even_if_done: EvenIfDone = False) -> DoiView:
        """Ask the registrar again now. For operators; repeating it does no harm."""
        async with deps.work() as work:
            again = await dois.retry_doi(work, doi, who, even_if_done=even_if_done)
        response.headers["location"] = f"{deps.rules.naming.base_url}/api/dois/{again.doi}"
        return view(again)

    return router
