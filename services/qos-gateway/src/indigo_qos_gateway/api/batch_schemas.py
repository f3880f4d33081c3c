"""What clients and the gateway send each other about many paths at once.

Source: WLCG Tape REST API v1. Times there are milliseconds since 1970, as dCache tells them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from indigo_contracts.qos import Locality, TransitionState
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Path = Annotated[str, Field(min_length=1, max_length=1200)]
Lifetime = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=3660))]

MOST = 100_000
"""Of targets in one body, whatever the settings say."""


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class BulkRequest(_Body):
    """A wish for one storage class of many paths."""

    targets: list[Path] = Field(min_length=1, max_length=MOST)
    target_class: str = Field(min_length=1, max_length=64, examples=["TapeOnly"])


class BulkState(_Answer):
    """A bulk request and how far it is. ``progress`` is the part of the targets that is over, 0 to 1."""

    id: str
    target_class: str
    state: TransitionState
    total: int
    progress: float
    counts: dict[TransitionState, int]
    requested_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None


class BulkTarget(_Answer):
    """One target. ``transition_id`` is absent when nothing had to move, or could."""

    position: int
    path: str
    state: TransitionState
    transition_id: str | None
    error: str | None
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None


class StageFileRequest(_Body):
    """One file to stage. ``targetedMetadata`` is for other systems and not used here."""

    path: Path
    diskLifetime: Lifetime | None = None  # noqa: N815 - names of the specification
    targetedMetadata: dict[str, Any] | None = None  # noqa: N815


class StageRequest(_Body):
    files: list[StageFileRequest] = Field(min_length=1, max_length=MOST)


class StageAccepted(_Answer):
    requestId: str  # noqa: N815


class StagedFile(_Answer):
    """One file of a stage request. ``error`` is absent, not null: gfal2 takes its presence for a failure."""

    path: str
    state: TransitionState
    startedAt: int | None = None  # noqa: N815
    finishedAt: int | None = None  # noqa: N815
    error: str | None = None


class StageState(_Answer):
    id: str
    createdAt: int  # noqa: N815
    startedAt: int | None = None  # noqa: N815
    completedAt: int | None = None  # noqa: N815
    files: list[StagedFile]


class Paths(_Body):
    paths: list[Path] = Field(min_length=1, max_length=MOST)


class ArchiveInfo(_Answer):
    """Where one file is, or why that is not known."""

    path: str
    locality: Locality | None = None
    error: str | None = None


class TapeEndpoint(_Answer):
    uri: str
    version: str = "v1"
    metadata: dict[str, str] = Field(default_factory=dict)


class TapeDiscovery(_Answer):
    """Where the Tape REST API of a site is."""

    sitename: str
    description: str
    endpoints: list[TapeEndpoint]


def milliseconds(at: datetime | None) -> int | None:
    """Milliseconds since 1970."""
    return None if at is None else int(at.timestamp() * 1000)
