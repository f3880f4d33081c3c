"""Making the sandbox registrars ill, or slow, to see what becomes of registrations then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from indigo_kernel.auth.dependency import Who
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.http.openapi import responses
from indigo_kernel.problems import Forbidden, NotFound, Unauthenticated

from indigo_pid.sandbox.crossref.app import Queue, SandboxCrossref
from indigo_pid.sandbox.faults import Faults, FaultyRegistrar

Sandbox = Annotated[Literal["datacite", "crossref"], Query(description="whose sandbox")]


def sandbox_routes(sandboxes: Mapping[str, FaultyRegistrar], crossref: SandboxCrossref | None) -> APIRouter:
    """The routes under ``/api/sandbox``, there as long as a sandbox is a registrar."""
    router = APIRouter(prefix="/api/sandbox", tags=["sandbox"])

    def named(registrar: str) -> FaultyRegistrar:
        found = sandboxes.get(registrar)
        if found is None:
            raise NotFound(f"There is no sandbox of {registrar} here")
        return found

    @router.get("/faults", responses=responses(Unauthenticated, Forbidden, NotFound))
    async def read_faults(who: Who, registrar: Sandbox = "datacite") -> Faults:
        """What goes wrong at a sandbox registrar now. For operators."""
        who.require(Scope.OPERATOR)
        return named(registrar).faults

    @router.put("/faults", responses=responses(Unauthenticated, Forbidden, NotFound))
    async def set_faults(who: Who, body: Faults, registrar: Sandbox = "datacite") -> Faults:
        """Let things go wrong at a sandbox registrar in this process. For operators; `{}` heals it."""
        who.require(Scope.OPERATOR)
        named(registrar).faults = body
        return body

    @router.put("/queue", responses=responses(Unauthenticated, Forbidden, NotFound))
    async def set_queue(who: Who, body: Queue) -> Queue:
        """Make the queue of Crossref's sandbox in this process longer or shorter. For operators."""
        who.require(Scope.OPERATOR)
        if crossref is None:
            raise NotFound("There is no sandbox of crossref here")
        crossref.queue = body
        return body

    return router
