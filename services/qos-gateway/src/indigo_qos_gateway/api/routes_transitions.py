"""The gateway's own API of transitions: ask, look, cancel."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from indigo_contracts.problems import FieldError
from indigo_contracts.qos import TransitionSnapshot, TransitionState
from indigo_kernel.auth.dependency import Who
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.http.openapi import responses
from indigo_kernel.idempotency import idempotent
from indigo_kernel.pagination import Page, Paging
from indigo_kernel.problems import BadRequest, Conflict, Forbidden, InvalidBody, NotFound, Unauthenticated

from indigo_qos_gateway.api.deps import Here, Service, path_at
from indigo_qos_gateway.api.schemas import TransitionProgress, TransitionRequest
from indigo_qos_gateway.application.transitions import bytes_of, cancel_transition, get_transition
from indigo_qos_gateway.domain.choice import by_expression
from indigo_qos_gateway.domain.errors import UnknownClass
from indigo_qos_gateway.domain.expressions import ExpressionError, parse_expression

router = APIRouter(prefix="/api/transitions", tags=["transitions"])


@router.get("")
async def list_transitions(
    here: Here,
    who: Who,
    paging: Paging,
    path: Annotated[str | None, Query(max_length=1200, description="this path and everything below it")] = None,
    record: Annotated[str | None, Query(max_length=200, description="record the copy is of")] = None,
    state: TransitionState | None = None,
) -> Page[TransitionSnapshot]:
    """Transitions of objects that are shown to you, the newest first."""
    before = str(paging.after[0]) if paging.after else None
    async with here.gateway.work() as work:
        found = await work.transitions.listed(
            path=path_at(path, "/query/path") if path is not None else None,
            record_id=record,
            state=state,
            places=here.access.places(who),
            before=before,
            limit=paging.limit + 1,
        )
    return paging.page([each.snapshot() for each in found], key=lambda each: (each.transition_id,))


@router.post(
    "",
    status_code=202,
    response_model=TransitionSnapshot,
    responses=responses(Unauthenticated, Forbidden, NotFound, Conflict, "idempotency-mismatch"),
)
async def create_transition(request: Request, here: Here, who: Who, body: TransitionRequest) -> Response:
    """Ask for another storage class (needs `qos:change` and an `Idempotency-Key`).

    202 with the transition; the one under way when it goes to the same class; 409 when it goes to another.
    """
    who.require(Scope.QOS_CHANGE)
    path = path_at(body.path, "/path")
    here.access.check_transitions(who, [path])
    target_class = _target_class(here, path, body)

    async with here.gateway.work() as work:

        async def effect() -> Response:
            try:
                transition = await here.gateway.change_class(path, target_class, who.actor, work)
            except UnknownClass as error:
                error.errors.append(FieldError(pointer="/target_class", detail=error.detail, code="unknown"))
                raise
            if transition is None:
                raise Conflict(f"{path} is at {target_class} already")
            return Response(
                transition.snapshot().model_dump_json(),
                status_code=202,
                media_type="application/json",
                headers={"location": f"{request.app.state.public_url}/api/transitions/{transition.id}"},
            )

        return await idempotent(request, work.conn, f"{who.iss} {who.sub}", effect, now=work.now)


@router.get("/{transition_id}", responses=responses(Unauthenticated, Forbidden, NotFound))
async def read_transition(here: Here, who: Who, transition_id: str) -> TransitionProgress:
    """One transition and how many bytes are where they shall be; what was observed when it is over."""
    async with here.gateway.work() as work:
        transition = await get_transition(work, transition_id)
        done, total = await bytes_of(work, here.gateway.mounts, transition)
    here.access.check_see(who, [transition.path])
    return TransitionProgress(**dict(transition.snapshot()), bytes_done=done, bytes_total=total)


@router.post(
    "/{transition_id}/cancel",
    status_code=202,
    responses=responses(Unauthenticated, Forbidden, NotFound, Conflict),
)
async def cancel_running_transition(here: Here, who: Who, transition_id: str) -> TransitionSnapshot:
    """Stop a transition (needs `qos:change`). What moved already stays there; every object stays readable."""
    who.require(Scope.QOS_CHANGE)
    async with here.gateway.work() as work:
        here.access.check_transitions(who, [(await get_transition(work, transition_id)).path])
        transition = await cancel_transition(work, transition_id, who.actor)
    return transition.snapshot()


def _target_class(here: Service, path: str, body: TransitionRequest) -> str:
    """The class that is asked for, by name or by expression. Raises ``InvalidBody`` or ``BadRequest``."""
    if body.target_class is not None and body.expression is None:
        return body.target_class
    if body.expression is None or body.target_class is not None:
        detail = "One of target_class and expression is needed"
        raise InvalidBody(detail, errors=[FieldError(pointer="/target_class", detail=detail, code="missing")])
    try:
        candidates = here.gateway.chooser.candidates(here.gateway.mounts.at(path))
        return by_expression(candidates, parse_expression(body.expression)).name
    except (ExpressionError, BadRequest) as error:
        detail = str(error)
        raise BadRequest(
            detail, errors=[FieldError(pointer="/expression", detail=detail, code="expression")]
        ) from None
