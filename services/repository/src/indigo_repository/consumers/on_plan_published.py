"""A plan was published: deposit it and reserve what it promises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from indigo_contracts.dmp import PlanPublished
from indigo_contracts.envelope import Envelope

from indigo_repository.application.plans import take_plan
from indigo_repository.application.ports import Staging
from indigo_repository.application.work import Work
from indigo_repository.domain.site import Site


def on_plan_published(staging: Staging, site: Site) -> Callable[[Work, PlanPublished, Envelope], Awaitable[None]]:
    async def apply(work: Work, fact: PlanPublished, _envelope: Envelope) -> None:
        await take_plan(work, staging, fact.plan, fact.actor, site)

    return apply
