"""Making the sandbox registrar ill, to see what becomes of registrations then."""

from __future__ import annotations

from fastapi import APIRouter
from indigo_kernel.auth.dependency import Who
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.http.openapi import responses
from indigo_kernel.problems import Forbidden, Unauthenticated

from indigo_pid.sandbox.faults import Faults, FaultyRegistrar


def sandbox_routes(registrar: FaultyRegistrar) -> APIRouter:
    """The route ``/api/sandbox/faults``, there as long as the sandbox is the registrar."""
    router = APIRouter(prefix="/api/sandbox", tags=["sandbox"])

    @router.get("/faults", responses=responses(Unauthenticated, Forbidden))
    async def read_faults(who: Who) -> Faults:
        """What goes wrong at the sandbox registrar now. For operators."""
        who.require(Scope.OPERATOR)
        return registrar.faults

    @router.put("/faults", responses=responses(Unauthenticated, Forbidden))
    async def set_faults(who: Who, body: Faults) -> Faults:
        """Let things go wrong at the sandbox registrar in this process. For operators; `{}` heals it."""
        who.require(Scope.OPERATOR)
        registrar.faults = body
        return body

    return router
