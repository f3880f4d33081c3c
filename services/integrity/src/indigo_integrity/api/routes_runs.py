"""Runs over HTTP: ask for them, list them, read what they found."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, cast

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from indigo_contracts.integrity import RunSnapshot, RunState
from indigo_kernel.auth.dependency import Who
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.idempotency import idempotent
from indigo_kernel.pagination import Page, Paging
from indigo_kernel.problems import Conflict, NotFound

from indigo_integrity.api.deps import NewWork, Tester, Works, who_id
from indigo_integrity.api.schemas import RunList, RunRequest
from indigo_integrity.application.ports import RunFilter, Work
from indigo_integrity.application.runs import demand_runs
from indigo_integrity.domain.run import Run

router = APIRouter(prefix="/api/runs", tags=["runs"])

RunId = Annotated[str, Path(max_length=64)]
_BATCH = 500


@router.post("", status_code=202, operation_id="integrity_request_runs", response_model=RunList)
async def request_runs(body: RunRequest, request: Request, works: Works, who: Tester) -> Response:
    """Run a record's tests now, or one of them. Answers 202 with the queued runs; needs ``Idempotency-Key``."""
    async with works() as work:

        async def effect() -> Response:
            runs = await demand_runs(work, body.record_id, body.test)
            queued = RunList(runs=[run.snapshot(work.base_url) for run in runs])
            headers = {"retry-after": "1"}
            if len(runs) == 1:
                headers["location"] = f"{work.base_url}/api/runs/{runs[0].run_id}"
            return Response(queued.model_dump_json(), 202, headers, "application/json")

        return await idempotent(request, work.conn, who_id(who), effect, now=work.now)


@router.get("", operation_id="integrity_list_runs")
async def list_runs(
    works: Works,
    paging: Paging,
    record: Annotated[str | None, Query(max_length=200, description="id of the tested record")] = None,
    plan: Annotated[str | None, Query(max_length=200, description="id of the plan that defines the test")] = None,
    state: RunState | None = None,
) -> Page[RunSnapshot]:
    """Runs, newest first."""
    before = cast("tuple[datetime, str] | None", paging.after)
    async with works() as work:
        runs = await work.runs.page(RunFilter(record, plan, state), before, paging.limit + 1)
        snapshots = [run.snapshot(work.base_url) for run in runs]
    return paging.page(snapshots, lambda run: (run.requested_at, run.run_id))


@router.get("/{run_id}", operation_id="integrity_get_run")
async def get_run(run_id: RunId, works: Works) -> RunSnapshot:
    """One run with its verdict, its first findings and its evidence."""
    async with works() as work:
        run = await _found(work, run_id)
        return run.snapshot(work.base_url)


@router.get(
    "/{run_id}/report",
    operation_id="integrity_get_report",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "one finding per line"}},
)
async def get_report(run_id: RunId, works: Works, who: Who) -> StreamingResponse:
    """All findings, one JSON object per line. Of files that are not open, for testers only."""
    async with works() as work:
        run = await _found(work, run_id)
    if run.restricted:
        who.require(Scope.INTEGRITY_RUN)
    if run.state is not RunState.FINISHED:
        raise Conflict("The run has not finished; its report comes with its verdict")
    return StreamingResponse(_lines(works, run_id), media_type="application/x-ndjson")


async def _found(work: Work, run_id: str) -> Run:
    run = await work.runs.get(run_id)
    if run is None:
        raise NotFound(f"There is no run {run_id}")
    return run


async def _lines(works: NewWork, run_id: str) -> AsyncIterator[bytes]:
    """The report in batches, each in a short transaction: a slow reader holds none open."""
    after = 0
    while True:
        async with works() as work:
            batch = await work.runs.findings(run_id, after, _BATCH)
        if not batch:
            return
        yield b"".join(finding.model_dump_json().encode() + b"\n" for _, finding in batch)
        after = batch[-1][0]
