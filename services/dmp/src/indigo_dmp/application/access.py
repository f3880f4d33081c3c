"""Who may see and who may change which plan."""

from __future__ import annotations

from indigo_contracts.dmp import PlanState
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.problems import Forbidden, Gone, NotFound

from indigo_dmp.application.ports import Work
from indigo_dmp.domain.outputs import Document
from indigo_dmp.domain.plan import Plan


def sees_all(plan: Plan, who: Principal) -> bool:
    """Whether ``who`` sees what is not published: the owner and the operator do."""
    return who.owns(plan.owner.iss, plan.owner.sub) or who.has(Scope.OPERATOR)


async def readable_plan(work: Work, plan_id: str, who: Principal) -> Plan:
    """The plan, if ``who`` may see any of it.

    Raises ``NotFound`` for a draft of somebody else as for no plan, ``Gone`` with the tombstone for a
    withdrawn one.
    """
    plan = await work.plans.get(plan_id)
    if plan is None or (plan.published is None and not sees_all(plan, who)):
        raise _nothing()
    if plan.withdrawal and not sees_all(plan, who):
        raise _gone(plan)
    return plan


def readable_document(plan: Plan, who: Principal) -> tuple[Document, int]:
    """The document ``who`` sees and its version: the newest one, or that of the published edition."""
    if sees_all(plan, who) or plan.published is None:
        return plan.document, plan.version
    return plan.published.document, plan.published.version


async def writable_plan(work: Work, plan_id: str, who: Principal) -> Plan:
    """The plan, locked, if ``who`` owns it. Raises as ``readable_plan`` does, and ``Forbidden``."""
    plan = await work.plans.get(plan_id, lock=True)
    if plan is None:
        raise _nothing()
    if who.owns(plan.owner.iss, plan.owner.sub):
        return plan
    if plan.state is PlanState.DRAFT and not who.has(Scope.OPERATOR):
        raise _nothing()
    if plan.withdrawal:
        raise _gone(plan)
    raise Forbidden("Only its owner changes a plan")


def _nothing() -> NotFound:
    return NotFound("There is no such plan")


def _gone(plan: Plan) -> Gone:
    assert plan.withdrawal is not None
    assert plan.published is not None
    return Gone(
        f"The plan was withdrawn: {plan.withdrawal.reason}",
        plan_id=plan.id,
        plan_title=plan.published.document["dmp"]["title"],
        reason=plan.withdrawal.reason,
        withdrawn_at=plan.withdrawal.at.isoformat(),
    )
