"""A plan was withdrawn: so is its own record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from indigo_contracts.dmp import PlanWithdrawn
from indigo_contracts.envelope import Envelope

from indigo_repository.application.plans import take_withdrawal
from indigo_repository.application.work import Work
from indigo_repository.domain.site import Site


def on_plan_withdrawn(site: Site) -> Callable[[Work, PlanWithdrawn, Envelope], Awaitable[None]]:
    async def apply(work: Work, fact: PlanWithdrawn, _envelope: Envelope) -> None:
        await take_withdrawal(work, fact.plan, fact.reason, fact.actor, site)

    return apply
