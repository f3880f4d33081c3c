"""What the use cases need of the outside: storage back-ends, the repository's files, and one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from indigo_contracts.envelope import Envelope, Fact
from indigo_contracts.qos import TransitionState
from indigo_contracts.repository import RecordSnapshot
from indigo_kernel.db.uow import Job
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_qos_gateway.application.node_ports import Domains, Nodes, Queues
from indigo_qos_gateway.domain.batch import Batch, Counts, Loan, Target
from indigo_qos_gateway.domain.domain import DOMAINS
from indigo_qos_gateway.domain.paths import Places
from indigo_qos_gateway.domain.placement import PlanPromises
from indigo_qos_gateway.domain.relocation import Place, Relocation
from indigo_qos_gateway.domain.storage import (
    BackendHealth,
    Child,
    Content,
    ObjectType,
    Progress,
    Status,
    StorageClass,
)
from indigo_qos_gateway.domain.timer import Timer
from indigo_qos_gateway.domain.transfer import Transfer
from indigo_qos_gateway.domain.transition import Transition


class Backend(Protocol):
    """One storage system. Paths are absolute inside of it, such as ``/a/b``; it never sees the mount's prefix.

    Status is what the storage says at the moment of asking. Every method may be called by several processes at
    once. A step is the change of class of one object or one container alone, never of what is in it.
    """

    @property
    def name(self) -> str:
        """Name of this installation, as events and listings show it."""
        ...

    @property
    def kind(self) -> str:
        """Its type in the words of plans (``StoragePromise.storage_type``), for example ``POSIX``."""
        ...

    @property
    def site(self) -> str | None:
        """Where it is (``StoragePromise.site``)."""
        ...

    @property
    def landing_class(self) -> str:
        """The class of a data object right after it was written."""
        ...

    def classes(self) -> Sequence[StorageClass]:
        """What it offers, for data objects and for containers."""
        ...

    async def status(self, path: str) -> Status:
        """Raises ``ObjectNotFound``."""
        ...

    async def children(self, path: str) -> Sequence[Child]:
        """The entries of a container, by name. Raises ``ObjectNotFound``."""
        ...

    def read(self, path: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to ``stop``. Raises ``ObjectNotFound`` or ``Offline`` at the first one."""
        ...

    async def write(self, path: str, chunks: AsyncIterable[bytes], expected: Content | None = None) -> Content:
        """Store a data object whole or not at all; containers on the way are made.

        Readers see the old bytes until the new ones are safe. The class of the result is ``landing_class``.
        Raises ``ChecksumMismatch`` when the bytes are not the ``expected`` ones, ``Busy``, ``Conflict`` when a
        container is in the way.
        """
        ...

    async def make_container(self, path: str) -> bool:
        """Make a container and those it is in; False when it is there. Raises ``Conflict`` when an object is."""
        ...

    async def delete(self, path: str) -> None:
        """Remove an object, or a container with everything in it, from every tier. Raises ``ObjectNotFound``."""
        ...

    async def digest(self, path: str) -> str | None:
        """SHA-256 of the bytes, read now from every tier the observed class promises.

        Of what cannot be read without a recall it is the one on record in the storage, or ``None``.
        Raises ``StorageDamage`` when a copy is missing or the copies differ.
        """
        ...

    async def start(self, path: str, target: str) -> str:
        """Begin to bring one object to a class; the handle names the step in ``poll`` and ``cancel``.

        Starting what runs with the same target already gives the handle of that. Raises ``Busy``.
        """
        ...

    async def poll(self, path: str, handle: str, patience: float) -> Progress:
        """How far a step is; waits up to ``patience`` seconds for its end."""
        ...

    async def cancel(self, path: str, handle: str) -> None:
        """Stop a step; the object stays readable at its old class, or is at the new one if it was too late."""
        ...

    async def health(self) -> BackendHealth: ...

    async def close(self) -> None:
        """Stop every running step of this process."""
        ...


class Steps(Protocol):
    """Steps a process carries out by itself. One that its process did not survive is unknown afterwards."""

    def start(self, path: str, target: str, run: Callable[[], Coroutine[Any, Any, None]]) -> str:
        """Begin a step, or name the one that does the same already. Raises ``Busy``."""
        ...

    async def poll(self, handle: str, patience: float) -> Progress: ...

    async def cancel(self, handle: str) -> None:
        """Stop a step and wait for its end."""
        ...

    async def close(self) -> None: ...


class Transfers(Protocol):
    """Copies and moves under way, and those that failed."""

    async def get(self, transfer_id: str, *, for_update: bool = False) -> Transfer | None: ...

    async def add(self, new: Transfer) -> None: ...

    async def save(self, changed: Transfer) -> None: ...

    async def remove(self, transfer_id: str) -> None: ...

    async def forget(self, path: str) -> None:
        """Drop those that failed at a path and below it."""
        ...

    async def taking(self, path: str) -> Transfer | None:
        """A move that takes away what is at the path, in it, or what it is in."""
        ...

    async def making(self, path: str) -> Transfer | None:
        """A copy or move that makes what is at the path, in it, or what it is in."""
        ...


class StageRequests(Protocol):
    """The requests by which tape systems were asked for files, one for each file; a restart forgets none."""

    async def find(self, backend: str, path: str) -> str | None: ...

    async def save(self, backend: str, path: str, request: str) -> None: ...

    async def forget(self, backend: str, path: str) -> None: ...


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
    async def find(self, path: str) -> Seen | None:
        """What is known; ``None`` when the object or its container is not known yet."""
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

    async def relocation(self, relocation_id: str, *, for_update: bool = False) -> Relocation | None: ...

    async def relocations(self, paths: Sequence[str]) -> Sequence[Relocation]:
        """Those of exactly these paths, to be ended by this transaction."""
        ...

    async def relocations_below(self, path: str) -> Sequence[Relocation]:
        """Those of the path and of what is in it, to be ended by this transaction."""
        ...

    async def relocated(self, path: str) -> tuple[int, int]:
        """Bytes copied, and to be copied, by the relocations under way at a path and below it."""
        ...

    async def add_relocation(self, new: Relocation) -> None: ...

    async def save_relocation(self, changed: Relocation) -> bool:
        """False when it was ended meanwhile."""
        ...

    async def end_relocation(self, relocation_id: str) -> bool:
        """False when it was ended already."""
        ...


class Objects(Protocol):
    async def find(self, path: str) -> StoredObject | None: ...

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

    async def rename(self, source: str, path: str) -> None:
        """Give the identities at ``source`` and below it to ``path``; those made there for the bytes go."""
        ...

    async def forget(self, path: str) -> None:
        """Drop the path and everything below it, timers too."""
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

    async def sent_home(self, paths: Sequence[str]) -> None:
        """Forget the loans of these paths."""
        ...


class TimerRows(Protocol):
    async def set(self, new: Sequence[Timer]) -> None:
        """Store them, each in the place of the one its path had."""
        ...

    async def clear(self, paths: Sequence[str]) -> None: ...

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


class Work(Protocol):
    """One transaction (``indigo_kernel.db.uow.UnitOfWork`` with this service's tables)."""

    now: datetime
    conn: AsyncConnection
    """For what the edge keeps in the same transaction: answers to idempotent requests."""

    @property
    def objects(self) -> Objects: ...

    @property
    def transitions(self) -> Transitions: ...

    @property
    def places(self) -> PlaceRows: ...

    @property
    def transfers(self) -> Transfers: ...

    @property
    def batches(self) -> Batches: ...

    @property
    def timers(self) -> TimerRows: ...

    @property
    def plans(self) -> Plans: ...

    @property
    def records(self) -> Records: ...

    @property
    def nodes(self) -> Nodes: ...

    @property
    def queues(self) -> Queues: ...

    @property
    def domains(self) -> Domains: ...

    async def alone(self, key: str) -> None:
        """Wait until no other transaction holds ``key``, and hold it until this one ends."""
        ...

    def emit(self, fact: Fact, *, subject: str, version: int) -> Envelope: ...

    async def enqueue(
        self, kind: str, key: str, payload: dict[str, Any], *, run_at: datetime | None = None
    ) -> None: ...

    async def finish(self, job: Job) -> None: ...


NewWork = Callable[[], AbstractAsyncContextManager[Work]]
"""Opens a transaction that is committed when its block is left without an error."""


class FetchFailed(Exception):
    """The repository did not give a file now; another attempt may succeed."""


class RecordFiles(Protocol):
    """Reads the files of records from the repository."""

    def read(self, url: str) -> AsyncIterator[bytes]:
        """The bytes at ``url``. Raises ``FetchFailed``, or ``Impossible`` for an address elsewhere."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How transitions are worked on: how long a worker waits for a step before it asks later."""

    patience: timedelta
    again: timedelta
