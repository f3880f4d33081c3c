"""Write, publish and withdraw plans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from indigo_contracts.dmp import (
    PlanCreated,
    PlannedOutput,
    PlanPublished,
    PlanState,
    PlanUpdated,
    PlanWithdrawn,
)
from indigo_contracts.problems import FieldError
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.ids import new_id
from indigo_kernel.problems import AlreadyExists, Conflict, InvalidBody

from indigo_dmp.application.access import writable_plan
from indigo_dmp.application.ledger import close_ledger, open_ledger
from indigo_dmp.application.ports import Work
from indigo_dmp.domain.outputs import Document, planned_outputs
from indigo_dmp.domain.plan import Change, Plan, published_snapshot
from indigo_dmp.madmp.reading import extension_errors

Precondition = Callable[[Plan], None]
"""Raises when the plan is not the version the caller means to change."""


async def create_plan(work: Work, document: Document, who: Principal) -> Plan:
    """Begin a plan. ``document`` has been read (``madmp.reading.read``).

    Raises ``AlreadyExists`` when the caller has a plan of that dmp_id; plans of others are not told of.
    """
    who.require(Scope.DMP_WRITE)
    assert who.actor is not None
    identifier = document["dmp"]["dmp_id"]
    if identifier["identifier"].strip():
        known = await work.plans.known_as(who.actor, identifier)
        if known:
            raise AlreadyExists(f"You have this plan already, with the id {known}", plan_id=known)
    plan_id = new_id()
    plan = Plan.begin(plan_id, document, who.actor, url=work.plan_url(plan_id), now=work.now)
    await work.plans.save(plan, Change.CREATED, who.actor)
    work.emit(
        PlanCreated(plan_id=plan.id, version=plan.version, actor=who.actor),
        subject=f"plans/{plan.id}",
        version=plan.version,
    )
    return plan


async def edit_plan(
    work: Work, plan_id: str, document: Document, who: Principal, precondition: Precondition
) -> Plan:
    """Replace the document of a plan."""
    who.require(Scope.DMP_WRITE)
    plan = await writable_plan(work, plan_id, who)
    precondition(plan)
    return await _edited(work, plan.edit(document, url=work.plan_url(plan.id), now=work.now), who)


async def edit_output(
    work: Work, plan_id: str, key: str, part: str, value: Any, who: Principal, precondition: Precondition
) -> tuple[Plan, PlannedOutput]:
    """Replace one part (structure, taxa, storage, tests) of one output's extension.

    Raises ``InvalidBody`` when the parts no longer fit together; pointers go into the whole document.
    """
    who.require(Scope.DMP_WRITE)
    plan = await writable_plan(work, plan_id, who)
    precondition(plan)
    plan, index = plan.edit_output(key, part, value, now=work.now)
    dataset = plan.document["dmp"]["dataset"][index]
    if errors := extension_errors(dataset["indigo"], f"/dmp/dataset/{index}/indigo"):
        raise InvalidBody(f"The output would not be valid: {errors[0].detail}", errors=errors)
    promised = {output.key: output for output in planned_outputs(plan.document)}
    if key not in promised:
        detail = "The dataset is reused, so the plan does not promise it"
        pointer = f"/dmp/dataset/{index}/is_reused"
        raise InvalidBody(detail, errors=[FieldError(pointer=pointer, detail=detail, code="reused")])
    await _edited(work, plan, who)
    return plan, promised[key]


async def _edited(work: Work, plan: Plan, who: Principal) -> Plan:
    await work.plans.save(plan, Change.EDITED, who.actor)
    work.emit(
        PlanUpdated(plan_id=plan.id, version=plan.version, actor=who.actor),
        subject=f"plans/{plan.id}",
        version=plan.version,
    )
    return plan


async def publish_plan(work: Work, plan_id: str, who: Principal, precondition: Precondition) -> Plan:
    """Publish the next edition; what it promises counts from now."""
    who.require(Scope.DMP_PUBLISH)
    plan = await writable_plan(work, plan_id, who)
    precondition(plan)
    plan = plan.publish(now=work.now)
    await work.plans.save(plan, Change.PUBLISHED, who.actor)
    told = published_snapshot(plan, url=work.plan_url(plan.id))
    await open_ledger(work, told)
    work.emit(PlanPublished(plan=told, actor=who.actor), subject=f"plans/{plan.id}", version=plan.version)
    return plan


async def withdraw_plan(work: Work, plan_id: str, reason: str, who: Principal, precondition: Precondition) -> Plan:
    """Withdraw a published plan; a tombstone stays, and its promises no longer count."""
    who.require(Scope.DMP_PUBLISH)
    plan = await writable_plan(work, plan_id, who)
    precondition(plan)
    plan = plan.withdraw(reason, now=work.now)
    await work.plans.save(plan, Change.WITHDRAWN, who.actor)
    await close_ledger(work, plan.id)
    told = published_snapshot(plan, url=work.plan_url(plan.id))
    fact = PlanWithdrawn(plan=told, reason=reason, actor=who.actor)
    work.emit(fact, subject=f"plans/{plan.id}", version=plan.version)
    return plan


async def delete_plan(work: Work, plan_id: str, who: Principal, precondition: Precondition) -> None:
    """Forget a draft. Raises ``Conflict`` for a published plan: others rely on it, it can only be withdrawn."""
    who.require(Scope.DMP_WRITE)
    plan = await writable_plan(work, plan_id, who)
    precondition(plan)
    if plan.state is not PlanState.DRAFT:
        raise Conflict("A plan that was published is not deleted; withdraw it and say why")
    await work.plans.remove(plan.id)
