"""What the use cases need of the database: the rows of a transaction, and views outside of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from indigo_contracts.qos import TransitionState
from indigo_contracts.repository import RecordSnapshot

from indigo_qos_gateway.domain.batch import Batch, Counts, Loan, Target
from indigo_qos_gateway.domain.domain import DOMAINS
from indigo_qos_gateway.domain.paths import Places
from indigo_qos_gateway.domain.placement import PlanPromises
from indigo_qos_gateway.domain.relocation import Place, Relocation
from indigo_qos_gateway.domain.storage import (
    ObjectType,
)
from indigo_qos_gateway.domain.timer import Timer
from indigo_qos_gateway.domain.transfer import Transfer
from indigo_qos_gateway.domain.transition import Transition


class Transfers(Protocol):
    """Copies, moves and removals under way, and those that failed."""

    async def get(self, transfer_id: str, *, for_update: bool = False) -> Transfer | None: ...

    async def add(self, new: Transfer) -> None: ...

    async def save(self, changed: Transfer) -> None: ...

    async def remove(self, transfer_id: str) -> None: ...

    async def forget(self, path: str) -> None:
        """Drop those that failed at a path and below it."""
        ...

    async def taking(self, path: str) -> Transfer | None:
        """A move or a removal that takes away what is at the path, in it, or what it is in."""
        ...

    async def making(self, path: str) -> Transfer | None:
        """A copy or move that makes what is at the path, in it, or what it is in."""
        ...

    async def over(self, path: str) -> Sequence[Transfer]:
        """Those that just now make, or take away, what is at the path or a container it is in."""
        ...


class Arrivals(Protocol):
    """Bytes on their way into the storage. While they are, nobody knows the checksum of what is at the path."""

    async def begin(self, path: str, token: str, now: datetime, until: datetime) -> bool:
        """Let those of ``token`` come; False while others may, which no process that died does for ever."""
        ...

    async def coming(self, path: str, now: datetime) -> bool:
        """Whether any are on their way to the path."""
        ...

    async def renew(self, path: str, token: str, until: datetime) -> None: ...

    async def end(self, path: str, token: str) -> bool:
        """Nothing is on its way any more. False when others were let in meanwhile."""
        ...


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the gateway knows of an object besides what its storage says: identity and clients' metadata."""

    object_id: str
    path: str
    object_type: ObjectType
    mimetype: str
    encoding: str
    metadata: Mapping[str, Any]
    created_at: datetime
    association_time: datetime
    sha256: str | None = None
    groups: Sequence[str] = ()
    """Of who stored it, for the operator's rules."""
    domain: str = DOMAINS
    """Path of the domain it belongs to."""
    partial: bool = False
    """Whether its client said that more bytes will come."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of an object: with the identifier of its container, and the class it is on its way to."""

    stored: StoredObject
    parent_id: str | None
    moving_to: str | None
    nodes: Sequence[str] = ()
    """Of a container: the names of its queues and references, these with a question mark at their end."""

    transfer: Transfer | None = None
    """The copy or move that makes it, while that is not over."""


class Views(Protocol):
    async def find(self, paths: Sequence[str]) -> Sequence[Seen | None]:
        """What is known of each, in their order; ``None`` when the object or its container is not known yet."""
        ...


class PlaceViews(Protocol):
    """Reads without a transaction, for every question about an object."""

    async def find(self, path: str) -> Place | None:
        """Where the object is, or what its container notes; ``None`` when it is where its path says."""
        ...

    async def among(self, paths: Sequence[str]) -> set[str]:
        """Those of the paths that are elsewhere, or note something."""
        ...

    async def children(self, path: str) -> Sequence[str]:
        """Names of the data objects of a container that are elsewhere."""
        ...


class PlaceRows(Protocol):
    """Which objects are elsewhere, and which are on their way to another back-end; paths are of the tree."""

    async def find(self, path: str) -> Place | None: ...

    async def below(self, path: str) -> Sequence[Place]:
        """Those of the path and of what is in it."""
        ...

    async def keeps(self, backend: str) -> bool:
        """Whether the back-end has objects of other parts of the tree, or will have."""
        ...

    async def save(self, place: Place) -> None:
        """Store it, in the place of what was known of its path."""
        ...

    async def remove(self, paths: Sequence[str]) -> None: ...

    async def relocations(self, paths: Sequence[str]) -> Sequence[Relocation]:
        """Those of exactly these paths, to be ended by this transaction."""
        ...

    async def relocations_below(self, path: str, places: Places) -> Sequence[Relocation]:
        """Those of the path and of what is in it, in that part of the tree, to be ended by this transaction."""
        ...

    async def relocated(self, path: str, places: Places) -> tuple[int, int]:
        """Bytes copied, and to be copied, by the relocations under way at a path and below it in that part."""
        ...

    async def add_relocation(self, new: Relocation) -> None: ...

    async def save_relocation(self, changed: Relocation) -> bool:
        """False when it was ended meanwhile."""
        ...

    async def end_relocation(self, relocation_id: str) -> bool:
        """False when it was ended already."""
        ...


class Objects(Protocol):
    async def find(self, path: str, *, for_update: bool = False) -> StoredObject | None: ...

    async def among(self, paths: Sequence[str]) -> Mapping[str, StoredObject]:
        """Those there are of these, by path."""
        ...

    async def retained(self, path: str) -> Sequence[StoredObject]:
        """What is at the path or below it and has a retention or a hold."""
        ...

    async def checksums(self, paths: Sequence[str]) -> Mapping[str, str]:
        """SHA-256 of those of the paths whose bytes came in here."""
        ...

    async def by_id(self, object_id: str) -> StoredObject | None: ...

    async def add(self, new: StoredObject) -> StoredObject:
        """Store it unless its path is known; what is stored then."""
        ...

    async def save(self, changed: StoredObject) -> None:
        """Store it, in the place of whatever was known at its path."""
        ...

    async def associate(self, paths: Sequence[str], at: datetime) -> None:
        """Note that these objects came to their class at this time."""
        ...

    async def rename(self, source: str, path: str, domain: str | None) -> None:
        """Give the identities at ``source`` and below it to ``path``; those made there for the bytes go.

        Everything stays in its domain, but what is at ``source`` goes to ``domain`` when there is one.
        """
        ...

    async def forget(self, path: str) -> None:
        """Drop the path and everything below it, timers and loans too."""
        ...


class Transitions(Protocol):
    async def get(self, transition_id: str, *, for_update: bool = False) -> Transition | None: ...

    async def many(self, ids: Sequence[str], *, for_update: bool = False) -> Mapping[str, Transition]:
        """Those there are of these, by identifier."""
        ...

    async def versions(self, ids: Sequence[str]) -> Mapping[str, int]:
        """The versions of those there are of these, which nobody changes until the transaction ends."""
        ...

    async def add(self, *new: Transition) -> None: ...

    async def save(self, *changed: Transition) -> None: ...

    async def active_among(self, paths: Sequence[str]) -> Sequence[Transition]:
        """Those under way at exactly these paths, the longest path first."""
        ...

    async def any_below(self, path: str) -> bool:
        """Whether any is under way at a path or below it."""
        ...

    async def last_of_record(self, record_id: str) -> Transition | None:
        """The newest one of the record's copy as a whole, not of single files in it."""
        ...

    async def listed(
        self,
        *,
        path: str | None,
        record_id: str | None,
        state: TransitionState | None,
        places: Places | None,
        before: str | None,
        limit: int,
    ) -> Sequence[Transition]:
        """The newest first; ``path`` means it and everything below it, ``before`` continues behind an id.

        With ``places`` only those there.
        """
        ...


class Batches(Protocol):
    """Every method takes few statements, however many targets it is about."""

    async def add(self, batch: Batch, targets: Sequence[Target]) -> None: ...

    async def get(self, batch_id: str) -> Batch | None:
        """``None`` for one that was removed too."""
        ...

    async def kind_of(self, batch_id: str) -> Batch | None:
        """The request even when it was removed: the worker has to end what runs."""
        ...

    async def active_of(self, owner: tuple[str, str]) -> int:
        """How many requests of this person are not over."""
        ...

    async def started(self, batch_id: str) -> Sequence[Target]:
        """Targets that are under way."""
        ...

    async def submitted(self, batch_id: str, *, after: int, limit: int) -> Sequence[Target]:
        """Targets nothing was done about yet, behind position ``after``."""
        ...

    async def still_submitted(self, batch_id: str, positions: Sequence[int]) -> set[int]:
        """Those of the positions nobody cancelled meanwhile; until the transaction ends, nobody does."""
        ...

    async def called_off(self, batch_id: str) -> set[str]:
        """Paths of targets under way that somebody wants stopped."""
        ...

    async def stopped(self, batch_id: str, positions: Sequence[int]) -> set[int]:
        """Those of the positions somebody wants stopped; until the transaction ends, nobody says so of others."""
        ...

    async def targets(
        self, batch_id: str, *, state: TransitionState | None, after: int, limit: int | None
    ) -> Sequence[Target]:
        """Targets in their order, behind position ``after``."""
        ...

    async def counts(self, batch_id: str) -> Counts: ...

    async def save(self, batch_id: str, targets: Sequence[Target]) -> None: ...

    async def begin(self, batch_id: str, at: datetime) -> None:
        """Note when work began; the first time counts."""
        ...

    async def finish(self, batch_id: str, at: datetime) -> None: ...

    async def known(self, batch_id: str, paths: Sequence[str]) -> set[str]:
        """Those of the paths that are targets."""
        ...

    async def cancel(self, batch_id: str, paths: Sequence[str] | None, at: datetime) -> None:
        """End what did not start, and mark what did for the worker."""
        ...

    async def remove(self, batch_id: str) -> None: ...

    async def loans(self, paths: Sequence[str]) -> Mapping[str, Loan]:
        """Which of these files are on disk for a while only."""
        ...

    async def release(self, batch_id: str, paths: Sequence[str] | None, at: datetime) -> Sequence[str]:
        """End the pins of a request on these paths, or all; the paths that were pinned."""
        ...

    async def release_paths(self, paths: Sequence[str], owner: tuple[str, str], at: datetime) -> None:
        """End every pin this person has on these paths."""
        ...

    async def end_due_pins(self, now: datetime, limit: int) -> Sequence[str]:
        """End pins whose time is over; their paths."""
        ...

    async def next_pin(self) -> datetime | None:
        """When the next pin ends."""
        ...

    async def homeless(self, paths: Sequence[str]) -> Sequence[Loan]:
        """Loans of these paths that no request pins, or is about to pin, any longer."""
        ...

    async def pinned(self, paths: Sequence[str]) -> set[str]:
        """Those of these paths that a request has on disk."""
        ...

    async def sent_home(self, paths: Sequence[str]) -> None:
        """Forget the loans of these paths."""
        ...


class TimerRows(Protocol):
    async def set(self, new: Sequence[Timer]) -> None:
        """Store them, each in the place of the one its path had."""
        ...

    async def clear(self, paths: Sequence[str]) -> None: ...

    async def end(self, timer: Timer) -> None:
        """Remove it, unless another one was set in its place."""
        ...

    async def hasten(self, path: str, at: datetime) -> bool:
        """Have all of a path and of what is in it due ``at`` this time; whether there are any."""
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[Timer]: ...

    async def following(self) -> datetime | None:
        """When the next one is due."""
        ...


class Plans(Protocol):
    async def find(self, plan_id: str) -> PlanPromises | None: ...

    async def save(self, promises: PlanPromises) -> None: ...


class Records(Protocol):
    async def find(self, record_id: str) -> RecordSnapshot | None: ...

    async def many(self, record_ids: Sequence[str]) -> Mapping[str, RecordSnapshot]: ...

    async def save(self, record: RecordSnapshot) -> None: ...

    async def of_plan(self, plan_id: str) -> Sequence[RecordSnapshot]: ...
