"""A change of storage class, from the request to what was observed in the end.

SUBMITTED → STARTED → COMPLETED | FAILED | CANCELLED; a transition that did not start can fail or be cancelled too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from indigo_contracts.qos import PlacedObject, TransitionSnapshot, TransitionState
from indigo_contracts.repository import PlanLink
from indigo_contracts.text import storable_text
from indigo_kernel.problems import Conflict

from indigo_qos_gateway.domain.storage import ObjectType

ACTIVE = (TransitionState.SUBMITTED, TransitionState.STARTED)


@dataclass(frozen=True, slots=True)
class Transition:
    """``handles`` are the back-end's names of running steps, by path. ``edition`` of the plan is in ``plan``.

    ``batch_id`` names the request for many of which it is a part, and whose worker carries it out. ``backend`` is
    that of the part of the tree; ``source_backend`` had the bytes, and ``target_backend`` has the target class,
    where other back-ends may take over. ``bytes_total`` are those of its objects, once they were looked at.
    """

    id: str
    path: str
    object_type: ObjectType
    backend: str
    target_class: str
    requested_at: datetime
    source_backend: str | None = None
    target_backend: str | None = None
    source_class: str | None = None
    state: TransitionState = TransitionState.SUBMITTED
    version: int = 1
    record_id: str | None = None
    batch_id: str | None = None
    plan: PlanLink | None = None
    handles: Mapping[str, str] = field(default_factory=dict)
    cancel_requested: bool = False
    objects: Sequence[PlacedObject] = ()
    provided: Mapping[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    bytes_total: int | None = None
    bytes_done: int = 0
    error: str | None = None

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def subject(self) -> str:
        return f"transitions/{self.id}"

    def _to(self, state: TransitionState, **changes: Any) -> Self:
        if not self.active:
            raise Conflict(f"The transition is {self.state.value} already")
        return replace(self, state=state, version=self.version + 1, **changes)

    def start(self, now: datetime, source_class: str | None) -> Self:
        """Work begins. Starting again after a crash changes nothing."""
        if self.state is TransitionState.STARTED:
            return self
        return self._to(TransitionState.STARTED, started_at=now, source_class=source_class)

    def complete(self, now: datetime, objects: Sequence[PlacedObject], provided: Mapping[str, Any]) -> Self:
        """Everything was observed at the target class, with the right checksums."""
        size = sum(each.size for each in objects)
        return self._to(
            TransitionState.COMPLETED,
            finished_at=now,
            objects=tuple(objects),
            provided=provided,
            handles={},
            bytes_total=size,
            bytes_done=size,
        )

    def fail(self, now: datetime, error: str) -> Self:
        return self._to(TransitionState.FAILED, finished_at=now, error=storable_text(error), handles={})

    def cancel(self, now: datetime, objects: Sequence[PlacedObject] = ()) -> Self:
        return self._to(TransitionState.CANCELLED, finished_at=now, objects=tuple(objects), handles={})

    def ask_to_cancel(self) -> Self:
        """Remember that it is to be cancelled; the worker that has it stops at its next look."""
        if not self.active:
            raise Conflict(f"The transition is {self.state.value} already")
        return replace(self, cancel_requested=True)

    def snapshot(self) -> TransitionSnapshot:
        slash = "/" if self.object_type is ObjectType.CONTAINER and self.path != "/" else ""
        return TransitionSnapshot(
            transition_id=self.id,
            path=self.path + slash,
            source_class=self.source_class,
            target_class=self.target_class,
            state=self.state,
            record_id=self.record_id,
            plan=self.plan,
            objects=list(self.objects),
            provided=dict(self.provided),
            backend=self.target_backend or self.backend,
            source_backend=None if self.source_backend == self.target_backend else self.source_backend,
            requested_at=self.requested_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
            error=self.error,
        )
