"""The WLCG Tape REST API, version 1, over every back-end that keeps files where they cannot be read at once.

gfal2, FTS and Rucio find it at ``/.well-known/wlcg-tape-rest-api``. Every path answers with and without a slash
at its end, since gfal2 sends both. Errors are problem+json (RFC 7807 as renewed by RFC 9457); a body that does not
fit is a 400.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from indigo_contracts.problems import FieldError
from indigo_kernel.auth.dependency import Who
from indigo_kernel.http.errors import pointer_into
from indigo_kernel.http.openapi import responses
from indigo_kernel.idempotency import idempotent
from indigo_kernel.problems import (
    BadRequest,
    DomainError,
    Forbidden,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
)

from indigo_qos_gateway.api.batch_schemas import (
    ArchiveInfo,
    Paths,
    StageAccepted,
    StagedFile,
    StageRequest,
    StageState,
    TapeDiscovery,
    TapeEndpoint,
    milliseconds,
)
from indigo_qos_gateway.api.deps import Here, Service
from indigo_qos_gateway.api.routes_bulk import parse_paths
from indigo_qos_gateway.application.batches import distinct, get_batch
from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.application.staging import StageFile, cancel, release, remove_stage, request_stage
from indigo_qos_gateway.domain.batch import Batch, BatchKind, Target
from indigo_qos_gateway.domain.storage import ObjectType

BASE = "/api/v1"
_AT_ONCE = 16

F = TypeVar("F", bound=Callable[..., Any])


class TapeRoute(APIRoute):
    """Bodies that do not fit are 400 here, as the specification has it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                raise BadRequest(
                    "The body is not JSON or does not fit its schema",
                    errors=[
                        FieldError(
                            pointer=pointer_into(error.body, one["loc"][1:]), detail=one["msg"], code=one["type"]
                        )
                        for one in error.errors()[:50]
                    ],
                ) from None

        return told


router = APIRouter(route_class=TapeRoute, tags=["tape"], responses=responses(Unauthenticated, Forbidden))


def _route(method: str, path: str, **how: Any) -> Callable[[F], F]:
    """A route at a path and at the same path with a slash at its end, without a redirect between them."""

    def add(endpoint: F) -> F:
        router.add_api_route(BASE + path, endpoint, methods=[method], **how)
        router.add_api_route(BASE + path + "/", endpoint, methods=[method], **{**how, "include_in_schema": False})
        return endpoint

    return add


@router.get("/.well-known/wlcg-tape-rest-api")
async def read_tape_discovery(request: Request, here: Here) -> TapeDiscovery:
    """Where the API is."""
    return TapeDiscovery(
        sitename=here.site,
        description="INDIGO storage quality gateway",
        endpoints=[TapeEndpoint(uri=request.app.state.public_url + BASE)],
    )


@_route(
    "POST",
    "/stage",
    status_code=201,
    response_model=StageAccepted,
    responses=responses(TooLarge, TooManyRequests),
)
async def create_stage(request: Request, here: Here, who: Who, body: StageRequest) -> Response:
    """Have files on disk for a while (`storage.stage`). An `Idempotency-Key` is taken but not needed."""
    paths = parse_paths([file.path for file in body.files], "/files/{}/path")
    here.access.check_stage(who, paths)
    files = [StageFile(path, file.diskLifetime) for path, file in zip(paths, body.files, strict=True)]
    async with here.gateway.work() as work:

        async def effect() -> Response:
            batch = await request_stage(work, here.limits, files, (who.iss, who.sub))
            return Response(
                StageAccepted(requestId=batch.id).model_dump_json(),
                status_code=201,
                media_type="application/json",
                headers={"location": f"{request.app.state.public_url}{BASE}/stage/{batch.id}"},
            )

        return await idempotent(request, work.conn, f"{who.iss} {who.sub}", effect, now=work.now, required=False)


@_route("GET", "/stage/{request_id}", response_model=StageState, responses=responses(NotFound))
async def read_stage(here: Here, who: Who, request_id: str) -> Response:
    """How far each file of a stage request is (`storage.poll`)."""
    async with here.gateway.work() as work:
        batch, targets = await _stage(work, request_id)
    here.access.check_poll(who, [each.path for each in targets])
    state = StageState(
        id=batch.id,
        createdAt=milliseconds(batch.requested_at) or 0,
        startedAt=milliseconds(batch.started_at),
        completedAt=milliseconds(batch.finished_at),
        files=[_file(each) for each in targets],
    )
    # Absent, not null: gfal2 takes the mere presence of "error" for a failure.
    return Response(state.model_dump_json(exclude_none=True), media_type="application/json")


@_route("DELETE", "/stage/{request_id}", status_code=204, responses=responses(NotFound))
async def delete_stage(here: Here, who: Who, request_id: str) -> Response:
    """Forget a stage request: what runs is cancelled, what is on disk is released (`storage.stage`)."""
    async with here.gateway.work() as work:
        batch, targets = await _stage(work, request_id)
        here.access.check_stage(who, [each.path for each in targets])
        await remove_stage(work, batch)
    return Response(status_code=204)


@_route("POST", "/stage/{request_id}/cancel", responses=responses(NotFound))
async def cancel_stage(here: Here, who: Who, request_id: str, body: Paths) -> Response:
    """Cancel files of a stage request; 400, with nothing changed, for one that is not in it (`storage.stage`)."""
    paths = distinct(parse_paths(body.paths, "/paths/{}"))
    async with here.gateway.work() as work:
        batch = await get_batch(work, request_id, BatchKind.STAGE)
        here.access.check_stage(who, paths)
        await cancel(work, batch, paths)
    return Response(status_code=200)


@_route("POST", "/release/{request_id}", responses=responses(NotFound))
async def release_files(here: Here, who: Who, request_id: str, body: Paths) -> Response:
    """Say that files of a stage request are not needed on disk any longer (`storage.stage`).

    With gfal2's placeholder for a request, everything the sender staged of these paths is released.
    """
    paths = distinct(parse_paths(body.paths, "/paths/{}"))
    async with here.gateway.work() as work:
        here.access.check_stage(who, paths)
        await release(work, request_id, paths, (who.iss, who.sub))
    return Response(status_code=200)


@_route("POST", "/archiveinfo", response_model=list[ArchiveInfo], responses=responses(TooLarge))
async def read_archiveinfo(here: Here, who: Who, body: Paths) -> Response:
    """Where files are, each by itself (`storage.poll`)."""
    if len(body.paths) > here.limits.targets:
        raise TooLarge(f"One request has at most {here.limits.targets} paths")
    paths = parse_paths(body.paths, "/paths/{}")
    here.access.check_poll(who, paths)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(path: str) -> str:
        async with slots:
            return (await _archived(here, path)).model_dump_json(exclude_none=True)

    told = await asyncio.gather(*(one(path) for path in paths))
    return Response(f"[{','.join(told)}]", media_type="application/json")


async def _archived(here: Service, path: str) -> ArchiveInfo:
    try:
        status = await here.gateway.exists(path)
    except DomainError as error:  # of this path or its back-end: the others are told
        return ArchiveInfo(path=path, error=error.detail)
    if status is None:
        return ArchiveInfo(path=path, error="No such file or directory")
    if status.object_type is ObjectType.CONTAINER:
        return ArchiveInfo(path=path, error="Is a directory")
    return ArchiveInfo(path=path, locality=status.locality)


async def _stage(work: Work, request_id: str) -> tuple[Batch, Sequence[Target]]:
    batch = await get_batch(work, request_id, BatchKind.STAGE)
    return batch, await work.batches.targets(batch.id, state=None, after=-1, limit=None)


def _file(target: Target) -> StagedFile:
    over = target.finished_at is not None
    return StagedFile(
        path=target.path,
        state=target.state,
        startedAt=milliseconds(target.started_at),
        finishedAt=milliseconds(target.finished_at),
        error=target.error if over else None,
    )
