"""Fixity on demand."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from indigo_contracts.integrity import RunSnapshot
from indigo_kernel.idempotency import idempotent

from indigo_integrity.api.deps import Tester, Works, who_id
from indigo_integrity.api.schemas import FixityRequest
from indigo_integrity.application.runs import demand_fixity

router = APIRouter(prefix="/api/fixity", tags=["fixity"])


@router.post("", status_code=202, operation_id="integrity_check_fixity", response_model=RunSnapshot)
async def check_fixity(body: FixityRequest, request: Request, works: Works, who: Tester) -> Response:
    """Read every file of a record back now. Answers 202 with the queued run; needs ``Idempotency-Key``."""
    async with works() as work:

        async def effect() -> Response:
            run = await demand_fixity(work, body.record_id)
            headers = {"location": f"{work.base_url}/api/runs/{run.run_id}", "retry-after": "1"}
            return Response(run.snapshot(work.base_url).model_dump_json(), 202, headers, "application/json")

        return await idempotent(request, work.conn, who_id(who), effect, now=work.now)
