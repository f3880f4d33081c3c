"""Why a storage class is chosen, what it costs, and how long it takes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from indigo_contracts.problems import FieldError
from indigo_kernel.auth.dependency import Who
from indigo_kernel.http.openapi import responses
from indigo_kernel.problems import BadRequest, Forbidden, Unauthenticated
from pydantic import AwareDatetime, BaseModel, ConfigDict

from indigo_qos_gateway.api.deps import Here, path_at
from indigo_qos_gateway.application.explaining import Considered, explain
from indigo_qos_gateway.domain.batch import latency
from indigo_qos_gateway.domain.choice import Source
from indigo_qos_gateway.domain.expressions import Expression, ExpressionError, parse_expression

router = APIRouter(prefix="/api", tags=["transitions"])


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class ConsideredClass(_Answer):
    """One class that could be chosen, and the back-end that has it. ``price`` is for a terabyte and a month."""

    storage_class: str
    backend: str
    permitted: bool
    unfulfilled: list[str]
    fulfils_expression: bool | None
    price: float | None
    latency_ms: float | None
    attributes: dict[str, list[str]]


class ExplainedLifetime(_Answer):
    duration: str
    action: str
    expires_at: AwareDatetime


class ClassExplanation(_Answer):
    """``expected_seconds`` is until the bytes are there; null when the classes do not say how fast they are."""

    path: str
    current_class: str | None
    current_backend: str | None
    chosen_class: str
    chosen_backend: str | None
    source: Source
    reason: str
    changes_at: AwareDatetime | None
    lifetime: ExplainedLifetime | None
    size: int
    expected_cost_per_month: float | None
    currency: str
    expected_seconds: float | None
    considered: list[ConsideredClass]


@router.get("/explain", responses=responses(BadRequest, Unauthenticated, Forbidden))
async def explain_class(
    here: Here,
    who: Who,
    path: Annotated[str, Query(min_length=1, max_length=1200, description="of an object, or one to be")],
    expression: Annotated[
        str | None, Query(max_length=2000, description="such as `country=ES & type=disk | latency<8`")
    ] = None,
    size: Annotated[int | None, Query(ge=0, le=1 << 60, description="bytes; the object's when absent")] = None,
) -> ClassExplanation:
    """Which class is, or would be, chosen for a path and why, with its expected cost and time."""
    path = path_at(path, "/query/path")
    here.access.check_see(who, [path])
    found = await explain(here.gateway, path, who.groups, _expression(expression), size)
    lifetime = None
    if found.lifetime is not None and found.expires_at is not None:
        lifetime = ExplainedLifetime(
            duration=found.lifetime.duration.text, action=found.lifetime.action, expires_at=found.expires_at
        )
    return ClassExplanation(
        path=path,
        current_class=found.current_class,
        current_backend=found.current_backend,
        chosen_class=found.choice.storage_class,
        chosen_backend=found.backend,
        source=found.choice.source,
        reason=found.choice.reason,
        changes_at=found.choice.changes_at,
        lifetime=lifetime,
        size=found.size,
        expected_cost_per_month=found.cost,
        currency=here.gateway.chooser.rules.currency,
        expected_seconds=found.seconds,
        considered=[_considered(each) for each in found.considered],
    )


def _considered(each: Considered) -> ConsideredClass:
    milliseconds = latency(each.candidate.storage_class)
    return ConsideredClass(
        storage_class=each.candidate.name,
        backend=each.candidate.backend,
        permitted=each.permitted,
        unfulfilled=list(each.unfulfilled),
        fulfils_expression=each.fulfils_expression,
        price=each.candidate.price,
        latency_ms=None if milliseconds == float("inf") else milliseconds,
        attributes={name: sorted(values) for name, values in sorted(each.candidate.attributes.items())},
    )


def _expression(text: str | None) -> Expression | None:
    if text is None:
        return None
    try:
        return parse_expression(text)
    except ExpressionError as error:
        detail = str(error)
        raise BadRequest(
            detail, errors=[FieldError(pointer="/query/expression", detail=detail, code="expression")]
        ) from None
