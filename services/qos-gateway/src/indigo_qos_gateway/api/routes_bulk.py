"""Many transitions in one request: ask, look at each target, cancel."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from indigo_contracts.problems import FieldError
from indigo_contracts.qos import TransitionState
from indigo_kernel.auth.dependency import Who
from indigo_kernel.auth.principal import Principal
from indigo_kernel.http.openapi import responses
from indigo_kernel.idempotency import idempotent
from indigo_kernel.pagination import Page, Paging
from indigo_kernel.problems import BadRequest, Forbidden, NotFound, TooLarge, TooManyRequests, Unauthenticated

from indigo_qos_gateway.api.batch_schemas import BulkRequest, BulkState, BulkTarget
from indigo_qos_gateway.api.deps import Here, Service, path_at
from indigo_qos_gateway.application.batches import (
    cancel_targets,
    check_limits,
    distinct,
    get_batch,
    submit_batch,
)
from indigo_qos_gateway.domain.batch import Batch, BatchKind, Counts, Target
from indigo_qos_gateway.domain.errors import UnknownClass
from indigo_qos_gateway.domain.storage import ObjectType

router = APIRouter(prefix="/api/transitions/bulk", tags=["transitions"])


@router.post(
    "",
    status_code=202,
    response_model=BulkState,
    responses=responses(Unauthenticated, Forbidden, TooLarge, TooManyRequests, "idempotency-mismatch"),
)
async def create_bulk(request: Request, here: Here, who: Who, body: BulkRequest) -> Response:
    """Ask for one storage class of many objects and containers (`qos:change` or `storage.modify`).

    Needs an `Idempotency-Key`. 202 at once; each target succeeds or fails by itself.
    """
    paths = distinct(parse_paths(body.targets, "/targets/{}"))
    here.access.check_transitions(who, paths)
    _check_class(here, body.target_class)
    owner = (who.iss, who.sub)
    async with here.gateway.work() as work:

        async def effect() -> Response:
            await check_limits(work, here.limits, len(paths), owner)
            targets = [Target(position, path) for position, path in enumerate(paths)]
            batch = await submit_batch(work, BatchKind.BULK, targets, owner, body.target_class)
            return Response(
                _state(batch, Counts({TransitionState.SUBMITTED: batch.total})).model_dump_json(),
                status_code=202,
                media_type="application/json",
                headers={"location": f"{request.app.state.public_url}/api/transitions/bulk/{batch.id}"},
            )

        return await idempotent(request, work.conn, f"{who.iss} {who.sub}", effect, now=work.now)


@router.get("/{bulk_id}", responses=responses(NotFound))
async def read_bulk(here: Here, who: Who, bulk_id: str) -> BulkState:
    """How far a bulk request is."""
    async with here.gateway.work() as work:
        batch = await get_batch(work, bulk_id, BatchKind.BULK)
        _check_shown(here, who, batch)
        return _state(batch, await work.batches.counts(batch.id))


@router.get("/{bulk_id}/targets", responses=responses(NotFound))
async def list_bulk_targets(
    here: Here, who: Who, paging: Paging, bulk_id: str, state: TransitionState | None = None
) -> Page[BulkTarget]:
    """Its targets in the order they were given."""
    after = paging.after[0] if paging.after else -1
    assert isinstance(after, int)
    async with here.gateway.work() as work:
        batch = await get_batch(work, bulk_id, BatchKind.BULK)
        _check_shown(here, who, batch)
        found = await work.batches.targets(batch.id, state=state, after=after, limit=paging.limit + 1)
    return paging.page([_target(each) for each in found], key=lambda each: (each.position,))


@router.post("/{bulk_id}/cancel", status_code=202, responses=responses(Unauthenticated, Forbidden, NotFound))
async def cancel_bulk(here: Here, who: Who, bulk_id: str) -> BulkState:
    """Stop what is not over. What moved already stays there; every object stays readable."""
    async with here.gateway.work() as work:
        batch = await get_batch(work, bulk_id, BatchKind.BULK)
        targets = await work.batches.targets(batch.id, state=None, after=-1, limit=None)
        here.access.check_transitions(who, [each.path for each in targets])
        await cancel_targets(work, batch)
        batch = await get_batch(work, bulk_id, BatchKind.BULK)
        return _state(batch, await work.batches.counts(batch.id))


def _check_shown(here: Service, who: Principal, batch: Batch) -> None:
    """Who sees only a part of the tree sees only requests of their own; another one's do not exist."""
    if here.access.places(who) is not None and not who.owns(*batch.owner):
        raise NotFound(f"There is no bulk request {batch.id}")


def _state(batch: Batch, counts: Counts) -> BulkState:
    assert batch.target_class is not None
    return BulkState(
        id=batch.id,
        target_class=batch.target_class,
        state=_overall(batch, counts),
        total=batch.total,
        progress=round(counts.over / batch.total, 4),
        counts={state: counts.of(state) for state in TransitionState},
        requested_at=batch.requested_at,
        started_at=batch.started_at,
        finished_at=batch.finished_at,
    )


def _overall(batch: Batch, counts: Counts) -> TransitionState:
    """COMPLETED when every target is; FAILED when one failed; CANCELLED when one was cancelled and none failed."""
    if counts.over < batch.total:
        return TransitionState.SUBMITTED if batch.started_at is None else TransitionState.STARTED
    for state in (TransitionState.FAILED, TransitionState.CANCELLED):
        if counts.of(state):
            return state
    return TransitionState.COMPLETED


def _target(target: Target) -> BulkTarget:
    return BulkTarget(
        position=target.position,
        path=target.path,
        state=target.state,
        transition_id=target.transition_id,
        error=target.error,
        started_at=target.started_at,
        finished_at=target.finished_at,
    )


def parse_paths(texts: Sequence[str], pointer: str) -> list[str]:
    """The paths in a body. Raises ``BadRequest`` with pointers to those that are none."""
    paths, errors = [], []
    for number, text in enumerate(texts):
        try:
            paths.append(path_at(text, pointer.format(number)))
        except BadRequest as error:
            errors += error.errors
    if errors:
        raise BadRequest(errors[0].detail, errors=errors[:50])
    return paths


def _check_class(here: Service, name: str) -> None:
    if not any(name in here.gateway.mounts.classes(object_type) for object_type in ObjectType):
        detail = f"No back-end has a class {name}"
        raise UnknownClass(detail, errors=[FieldError(pointer="/target_class", detail=detail, code="unknown")])
