"""Bodies of the plan service's own API, and those of the RDA common maDMP API."""

from __future__ import annotations

from typing import Any

from indigo_contracts.dmp import Evidence, PlanState, PromiseSnapshot
from indigo_contracts.problems import FieldError
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from indigo_dmp.domain.plan import Change
from indigo_dmp.domain.readings import Outcome


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class DmpWithId(_Answer):
    """A plan in the common API. ``id`` is this service's; ``dmp`` the document in the negotiated version."""

    id: str
    dmp: dict[str, Any]


class DmpList(_Answer):
    total_count: int = Field(ge=0)
    items: list[DmpWithId]


class CommonError(_Answer):
    """An error of the common API, with JSON Pointers (RFC 6901) to what is wrong where that is known."""

    error_code: str
    error_message: str
    errors: list[FieldError] | None = None


class PlanSummary(_Answer):
    """A plan in a listing."""

    plan_id: str
    title: str
    state: PlanState
    version: int
    edition: int
    created: AwareDatetime
    modified: AwareDatetime
    mine: bool
    url: str


class VersionSummary(_Answer):
    """A stored version of a plan and what made it."""

    version: int
    edition: int = Field(description="editions published so far")
    state: PlanState
    change: Change
    changed_at: AwareDatetime


class Withdrawal(BaseModel):
    """Why a plan is withdrawn; the tombstone tells it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field(min_length=1, max_length=2000, pattern=r"\S")


class PromiseCounts(_Answer):
    planned: int
    due: int
    kept: int
    broken: int


class LedgerView(_Answer):
    """Every promise of the newest edition, and how many stand how."""

    plan_id: str
    summary: PromiseCounts
    items: list[PromiseSnapshot]


class HistoryEntry(_Answer):
    """Something that was said about a promise. A ``note`` decided nothing."""

    outcome: Outcome
    evidence: Evidence


class PromiseView(_Answer):
    """A promise with what was said about it, the newest first."""

    promise: PromiseSnapshot
    retired_at: AwareDatetime | None = Field(description="when the plan stopped promising it")
    history: list[HistoryEntry]
    next_cursor: str | None
