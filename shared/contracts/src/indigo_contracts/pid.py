"""Persistent identifiers and the facts stated about them."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from indigo_contracts.envelope import Fact
from indigo_contracts.repository import PlanLink, RecordKind


class IdentifierState(StrEnum):
    RESERVED = "reserved"
    ACTIVE = "active"
    TOMBSTONED = "tombstoned"


class IdentifierSnapshot(BaseModel):
    """An internal PID with its faces: ``handle`` and ``ark`` name the same thing, the DOI is for citing."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    handle: str = Field(examples=["21.T99999/b7c9-x2"])
    ark: str | None = None
    doi: str | None = None
    state: IdentifierState
    version: int
    kind: RecordKind | None = None
    record_id: str | None = Field(default=None, description="the repository record it names")
    plan: PlanLink | None = None
    target: str | None = Field(default=None, description="URL the resolver redirects to")
    resolver_url: str = Field(description="URL that resolves the handle")
    concept: str | None = Field(
        default=None, description="handle that stands for all versions and leads to the newest"
    )


class _IdentifierFact(Fact):
    identifier: IdentifierSnapshot


class IdentifierMinted(_IdentifierFact):
    """A PID exists (and a DOI name is set aside); it may not resolve yet."""

    fact: ClassVar[str] = "pid.identifier.minted.v1"


class IdentifierUpdated(_IdentifierFact):
    """The target or the metadata of a PID changed."""

    fact: ClassVar[str] = "pid.identifier.updated.v1"


class IdentifierTombstoned(_IdentifierFact):
    """What the PID names is gone; it resolves to a page that says so."""

    fact: ClassVar[str] = "pid.identifier.tombstoned.v1"
    reason: str


class _DoiFact(Fact):
    doi: str
    handle: str
    record_id: str | None = None
    plan: PlanLink | None = None
    registrar: str = Field(description="base URL of the registrar's API")
    note: str | None = Field(
        default=None, description="what the registrar did otherwise than it was wanted, or warned of"
    )


class DoiRegistered(_DoiFact):
    """The registrar was seen to hold the DOI in the wanted state; stated again when its metadata has changed."""

    fact: ClassVar[str] = "pid.doi.registered.v1"
    state: Literal["registered", "findable"]
    observed_at: AwareDatetime


class DoiFailed(_DoiFact):
    """The registrar refused the DOI; it will not be tried again without a change."""

    fact: ClassVar[str] = "pid.doi.failed.v1"
    reason: str


class DoiHidden(_DoiFact):
    """The DOI is registered but no longer findable; ``note`` tells when its registrar can hide nothing."""

    fact: ClassVar[str] = "pid.doi.hidden.v1"
