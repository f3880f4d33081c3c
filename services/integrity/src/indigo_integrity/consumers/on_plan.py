"""``dmp.plan.published`` and ``dmp.plan.withdrawn``: which tests a plan defines."""

from __future__ import annotations

from indigo_contracts.dmp import PlanPublished, PlanWithdrawn
from indigo_contracts.envelope import Envelope

from indigo_integrity.application.ports import Work
from indigo_integrity.application.snapshots import keep_plan


async def on_plan(work: Work, fact: PlanPublished | PlanWithdrawn, envelope: Envelope) -> None:  # noqa: ARG001
    """A withdrawn plan keeps its history, but asks for no more runs."""
    await keep_plan(work, fact.plan)
