"""What the repository remembers of a plan."""

from __future__ import annotations

from dataclasses import dataclass

from indigo_contracts.envelope import Actor


@dataclass(frozen=True, slots=True)
class PlanEdition:
    """The latest state of a plan that arrived, with its page. ``version`` tells an older state that comes late."""

    plan_id: str
    version: int
    edition: int
    withdrawn: bool
    owner: Actor | None
    url: str
