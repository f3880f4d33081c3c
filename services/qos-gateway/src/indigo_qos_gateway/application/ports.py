"""What the use cases need of the outside: storage back-ends, the repository's files, and one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from indigo_contracts.envelope import Envelope, Fact
from indigo_kernel.db.uow import Job
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_qos_gateway.application.node_ports import Domains, Nodes, Queues
from indigo_qos_gateway.application.row_ports import (
    Arrivals,
    Batches,
    Objects,
    PlaceRows,
    Plans,
    Records,
    TimerRows,
    Transfers,
    Transitions,
)
from indigo_qos_gateway.domain.storage import (
    BackendHealth,
    Child,
    Content,
    Progress,
    Status,
    StorageClass,
)


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


class StageRequests(Protocol):
    """The requests by which tape systems were asked for files, one for each file; a restart forgets none."""

    async def find(self, backend: str, path: str) -> str | None: ...

    async def save(self, backend: str, path: str, request: str) -> None: ...

    async def forget(self, backend: str, path: str) -> None:
        """Forget those for a path and for everything below it."""
        ...


class Work(Protocol):
    """One transaction (``indigo_kernel.db.uow.UnitOfWork`` with this service's tables)."""

    now: datetime
    conn: AsyncConnection
    """For what the edge keeps in the same transaction: answers to idempotent requests."""

    @property
    def objects(self) -> Objects: ...

    @property
    def arrivals(self) -> Arrivals: ...

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

    async def beside(self, *keys: str) -> None:
        """Wait until no other transaction is alone with a key, and let none be so until this one ends."""
        ...

    def emit(self, fact: Fact, *, subject: str, version: int) -> Envelope: ...

    async def enqueue(
        self, kind: str, key: str, payload: dict[str, Any], *, run_at: datetime | None = None
    ) -> None: ...

    async def put_off(self, kind: str, beginnings: Collection[str], until: datetime) -> None: ...

    async def call_off(self, kind: str, key: str) -> None: ...

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
