"""Storage-quality transitions and the facts stated about them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from indigo_contracts.envelope import Fact
from indigo_contracts.repository import PlanLink


class Locality(StrEnum):
    """Where the bytes are, as the storage itself says (WLCG Tape REST vocabulary)."""

    DISK = "DISK"
    TAPE = "TAPE"
    DISK_AND_TAPE = "DISK_AND_TAPE"
    LOST = "LOST"
    NONE = "NONE"
    UNAVAILABLE = "UNAVAILABLE"


class TransitionState(StrEnum):
    SUBMITTED = "SUBMITTED"
    STARTED = "STARTED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class PlacedObject(BaseModel):
    """One object as the storage was seen to hold it after the transition."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    size: int
    sha256: str | None = None
    storage_class: str
    locality: Locality


class TransitionSnapshot(BaseModel):
    """A change of storage class of one path: an object, or a container with everything in it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    transition_id: str
    path: str
    source_class: str | None = Field(default=None, description="absent when the bytes are new to the gateway")
    target_class: str
    state: TransitionState
    record_id: str | None = None
    plan: PlanLink | None = None
    objects: list[PlacedObject] = Field(default_factory=list)
    provided: dict[str, Any] = Field(default_factory=dict, description="CDMI *_provided attributes, observed")
    backend: str | None = Field(default=None, description="back-end that has the target class")
    source_backend: str | None = Field(
        default=None, description="back-end that had the bytes, when another one takes over"
    )
    requested_at: AwareDatetime
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    error: str | None = None


class _TransitionFact(Fact):
    transition: TransitionSnapshot


class TransitionRequested(_TransitionFact):
    """A transition is queued."""

    fact: ClassVar[str] = "qos.transition.requested.v1"


class TransitionCompleted(_TransitionFact):
    """The storage was seen to hold the object at the target class, with the right checksum."""

    fact: ClassVar[str] = "qos.transition.completed.v1"


class TransitionFailed(_TransitionFact):
    """The transition was given up; the object is at its source class."""

    fact: ClassVar[str] = "qos.transition.failed.v1"


class TransitionCancelled(_TransitionFact):
    """The transition was cancelled before it was complete."""

    fact: ClassVar[str] = "qos.transition.cancelled.v1"


class LifetimeExpired(Fact):
    """An object's time in its storage class is over; ``action`` says what follows."""

    fact: ClassVar[str] = "qos.lifetime.expired.v1"
    path: str
    storage_class: str
    action: str
    record_id: str | None = None
    plan: PlanLink | None = None
