"""Many changes of class asked for at once: bulk transitions, stage requests, and the return of what was staged.

A target goes SUBMITTED → STARTED → COMPLETED | FAILED | CANCELLED, each by itself. Sources: WLCG Tape REST API v1
(``stage``, ``release``); dCache bulk requests for states per target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from indigo_contracts.qos import TransitionState
from indigo_contracts.text import storable_text

from indigo_qos_gateway.domain.storage import ObjectType, Status, StorageClass

OVER = (TransitionState.COMPLETED, TransitionState.FAILED, TransitionState.CANCELLED)


class BatchKind(StrEnum):
    BULK = "bulk"
    """Somebody asked for a storage class of many paths."""

    STAGE = "stage"
    """Somebody asked to have files on disk for a while; which class that is depends on the file."""

    RETURN = "return"
    """Nobody needs the disk copies any longer: the files go back to the class they were staged from."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One request. ``target_class`` is absent when each target has its own; ``owner`` is issuer and subject."""

    id: str
    kind: BatchKind
    owner: tuple[str, str]
    requested_at: datetime
    total: int
    target_class: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One path of a batch.

    ``expected_class``: act only on what is at this class still. ``home_class``: where a staged file came from and
    goes back to. ``lifetime``: how long it shall stay on disk; ``pinned_until`` is set once it is there.
    """

    position: int
    path: str
    state: TransitionState = TransitionState.SUBMITTED
    target_class: str | None = None
    expected_class: str | None = None
    home_class: str | None = None
    transition_id: str | None = None
    error: str | None = None
    attempts: int = 0
    cancel_requested: bool = False
    lifetime: timedelta | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    pinned_until: datetime | None = None

    def over(self, state: TransitionState, now: datetime, error: str | None = None) -> Self:
        """The target at its end."""
        return replace(
            self,
            state=state,
            error=storable_text(error) if error else None,
            started_at=self.started_at or now,
            finished_at=now,
        )

    def on_disk(self, now: datetime) -> Self:
        """A staged target that can be read now: its time on disk begins."""
        ended = self.over(TransitionState.COMPLETED, now)
        return replace(ended, pinned_until=now + self.lifetime) if self.lifetime is not None else ended


@dataclass(frozen=True, slots=True)
class Counts:
    """How many targets are in each state."""

    by_state: Mapping[TransitionState, int]

    def of(self, state: TransitionState) -> int:
        return self.by_state.get(state, 0)

    @property
    def over(self) -> int:
        return sum(self.of(state) for state in OVER)


@dataclass(frozen=True, slots=True)
class Loan:
    """A staged file: the class it is at for a while, and the one it belongs to."""

    path: str
    target_class: str
    home_class: str


def staged_class(status: Status, classes: Sequence[StorageClass]) -> str | None:
    """The class that has a file on disk without giving up its tape copy; ``None`` when there is none.

    Among the classes one may go to from here those count that answer sooner than now (``cdmi_latency``, in
    milliseconds); of these the one with most copies (``cdmi_data_redundancy``) keeps what is on tape. Nothing goes
    to another back-end for a while only.
    """
    offered = {each.name: each for each in classes if each.object_type is ObjectType.DATAOBJECT}
    here = offered.get(status.storage_class)
    if here is None:
        return None
    near = [offered[name] for name in here.allowed if name in offered and offered[name].holder == here.holder]
    sooner = [each for each in near if latency(each) < latency(here)]
    if not sooner:
        return None
    return min(sooner, key=lambda each: (-copies(each), latency(each), each.name)).name


def latency(storage_class: StorageClass) -> float:
    """Milliseconds to the first byte; endless when the class does not say."""
    return _number(storage_class, "cdmi_latency", float("inf"))


def copies(storage_class: StorageClass) -> float:
    """Complete copies that are kept; one when the class does not say."""
    return _number(storage_class, "cdmi_data_redundancy", 1.0)


def _number(storage_class: StorageClass, name: str, otherwise: float) -> float:
    value = storage_class.metadata.get(name)
    try:
        return float(value) if isinstance(value, str) else otherwise
    except ValueError:
        return otherwise  # back-ends write what their systems say
