"""A plan was published: what it promises about storage counts from now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from indigo_contracts.dmp import PlanPublished
from indigo_contracts.envelope import Envelope

from indigo_qos_gateway.application.mounts import MountTable
from indigo_qos_gateway.application.placement import note_plan
from indigo_qos_gateway.application.ports import Work


def on_plan_published(mounts: MountTable) -> Callable[[Work, PlanPublished, Envelope], Awaitable[None]]:
    """The consumer over these mounts."""

    async def apply(work: Work, fact: PlanPublished, _: Envelope) -> None:
        await note_plan(work, mounts, fact.plan)

    return apply
