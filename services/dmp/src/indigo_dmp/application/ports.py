"""What the use cases ask of the outside: the store of plans, the store of the ledger, the unit of work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from indigo_contracts.dmp import Evidence, PlanState
from indigo_contracts.envelope import Actor, Envelope, Fact
from indigo_kernel.auth.principal import Principal

from indigo_dmp.application.search import Search
from indigo_dmp.domain.ledger import Promise
from indigo_dmp.domain.outputs import Document
from indigo_dmp.domain.plan import Change, Plan
from indigo_dmp.domain.readings import Outcome, Reading


@dataclass(frozen=True, slots=True)
class Found:
    """A search result: the document the searcher may see."""

    plan_id: str
    document: Document


@dataclass(frozen=True, slots=True)
class PlanVersion:
    """One stored version. Every version of a plan is kept."""

    version: int
    edition: int
    state: PlanState
    change: Change
    changed_at: datetime
    document: Document


class Plans(Protocol):
    async def get(self, plan_id: str, *, lock: bool = False) -> Plan | None:
        """The plan; with ``lock`` nobody else changes it or its promises until the commit."""
        ...

    async def save(self, plan: Plan, change: Change, actor: Actor | None) -> None:
        """Write the plan, and its version for good."""
        ...

    async def remove(self, plan_id: str) -> None:
        """Forget a draft with its versions."""
        ...

    async def known_as(self, owner: Actor, identifier: dict[str, Any]) -> str | None:
        """The id of a plan of ``owner`` that has ``identifier`` as its dmp_id or an alternate one."""
        ...

    async def page(self, who: Principal, before: str | None, limit: int) -> Sequence[Plan]:
        """Plans ``who`` may see, the newest first, from the one after ``before``."""
        ...

    async def search(self, search: Search, who: Principal) -> tuple[int, Sequence[Found]]:
        """How many plans match among those ``who`` may see, and the part of them that is asked for."""
        ...

    async def versions(
        self, plan_id: str, *, published_only: bool, before: int | None, limit: int
    ) -> Sequence[PlanVersion]:
        """Stored versions, the newest first."""
        ...

    async def version(self, plan_id: str, version: int) -> PlanVersion | None: ...


class Promises(Protocol):
    async def of_plan(self, plan_id: str) -> list[Promise]:
        """Every promise of the plan, retired ones too, with what is known about them, in the plan's order."""
        ...

    async def of_output(self, plan_id: str, output: str | None) -> list[Promise]:
        """The promises that count now for one output (of the plan itself when None)."""
        ...

    async def get(self, plan_id: str, promise_id: str) -> Promise | None: ...

    async def put(self, promise: Promise, position: int) -> None:
        """Add a promise, or write its terms again. ``position`` is its place in the plan."""
        ...

    async def save(self, promise: Promise) -> None:
        """Write the state of a promise."""
        ...

    async def note(self, readings: Iterable[Reading]) -> None:
        """Keep readings in the history; those of an event that is there already change nothing."""
        ...

    async def known(self, plan_id: str) -> list[Reading]:
        """The newest decisive reading of each aspect of the plan."""
        ...

    async def history(
        self, promise: Promise, before: tuple[datetime, str] | None, limit: int
    ) -> Sequence[tuple[Evidence, Outcome]]:
        """What was said about a promise, the newest first."""
        ...


class Work(Protocol):
    """The unit of work as the use cases see it."""

    now: datetime
    plans: Plans
    promises: Promises

    def plan_url(self, plan_id: str) -> str:
        """The public address of a plan."""
        ...

    def emit(self, fact: Fact, *, subject: str, version: int) -> Envelope: ...

    async def enqueue(
        self, kind: str, key: str, payload: dict[str, Any], *, run_at: datetime | None = None
    ) -> None: ...
