"""What the use cases need of the outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from indigo_contracts.envelope import Envelope, Fact
from indigo_contracts.pid import IdentifierState
from indigo_contracts.problems import FieldError
from indigo_kernel.db.uow import Job

from indigo_pid.domain.doi import Doi, DoiState, DoiStatus
from indigo_pid.domain.history import Entry
from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.names import Name


class Identifiers(Protocol):
    """The identifiers that exist. Names are never removed."""

    async def add(self, made: Sequence[tuple[Identifier, Entry]]) -> set[str]:
        """Store new ones with their first entries; the handles of those whose name was free."""
        ...

    async def save(self, identifier: Identifier, entry: Entry | None = None) -> None:
        """Store a change with its entry; without one, something that is no change to anybody else."""
        ...

    async def history(self, handle: str) -> list[Entry]:
        """The entries of one, oldest first."""
        ...

    async def taken(self, names: Sequence[Name]) -> dict[str, IdentifierState]:
        """Which of these names exist: their keys and states."""
        ...

    async def find(self, name: Name, *, for_update: bool = False) -> Identifier | None:
        """The one that has this name, by any of its faces."""
        ...

    async def with_handles(self, names: Sequence[Name]) -> dict[str, Identifier]:
        """Those that have these handles, by their keys."""
        ...

    async def of_handle(self, handle: str) -> Identifier | None:
        """The one shown as ``handle``, letter by letter; it is locked."""
        ...

    async def of_concept(self, concept: str) -> list[Identifier]:
        """The versions of a concept, oldest first."""
        ...

    async def of_record(self, record_id: str, *, for_update: bool = False) -> Identifier | None:
        """The one a record has."""
        ...

    async def under(self, prefix: str, *, skip: int, limit: int) -> tuple[list[str], int]:
        """Handles under a prefix that resolve or did, by name, and how many there are in all."""
        ...

    async def with_values(self, patterns: Sequence[tuple[str, str]], *, limit: int) -> list[str]:
        """Handles with a value of each type that matches its pattern (``*`` is anything), by name."""
        ...

    async def of_plan(self, plan_id: str) -> list[Identifier]:
        """All that answer to a plan, the plan's own records among them, oldest first."""
        ...

    async def unused(self, *, after: str | None, limit: int) -> list[Identifier]:
        """Reserved ones that were given up, by their compared names, those after ``after``."""
        ...

    async def after(self, record_id: str) -> list[Identifier]:
        """Those whose record names this one as its previous version."""
        ...


class Dois(Protocol):
    """The registrations."""

    async def find(self, doi: str, *, for_update: bool = False) -> Doi | None: ...

    async def save(self, doi: Doi) -> None:
        """Store a new or changed one."""
        ...

    async def postpone_all(self, prefixes: Collection[str], problem: str, until: datetime) -> None:
        """Note of all that are pending under these prefixes that they are tried again at ``until``, and why."""
        ...

    async def bring_forward(self, prefixes: Collection[str], kind: str) -> None:
        """Note of all that are pending under these prefixes that they are tried when their jobs now run."""
        ...

    async def registrar_back(self, registrar: str, now: datetime) -> None:
        """Tell the other processes that it answers again."""
        ...

    async def registrar_back_at(self, registrar: str) -> datetime | None:
        """When that was told last."""
        ...

    async def named(self, dois: Sequence[str]) -> list[Doi]:
        """Those of these names that are registered here or shall be."""
        ...

    async def listed(self, status: DoiStatus | None, *, after: str | None, limit: int) -> Sequence[Doi]:
        """By name, those after ``after``."""
        ...


class Work(Protocol):
    """One transaction (``indigo_kernel.db.uow.UnitOfWork`` with this service's tables)."""

    now: datetime

    @property
    def identifiers(self) -> Identifiers: ...

    @property
    def dois(self) -> Dois: ...

    async def alone(self, key: str) -> None:
        """Wait until no other transaction holds ``key``, and hold it until this one ends."""
        ...

    def emit(self, fact: Fact, *, subject: str, version: int) -> Envelope: ...

    async def enqueue(
        self, kind: str, key: str, payload: dict[str, Any], *, run_at: datetime | None = None
    ) -> None: ...

    async def put_off(self, kind: str, beginnings: Collection[str], until: datetime) -> None: ...

    async def bring_forward(self, kind: str, beginnings: Collection[str], each: timedelta) -> None: ...

    async def finish(self, job: Job) -> None: ...


NewWork = Callable[[], AbstractAsyncContextManager[Work]]
"""Opens a transaction."""


@dataclass(frozen=True, slots=True)
class Reached:
    """The registrar has what is wanted of a DOI; ``note`` says what it did otherwise, or warned of."""

    note: str | None = None


@dataclass(frozen=True, slots=True)
class Underway:
    """The registrar does not have it yet: ask again ``after`` this long, or as after a failure if ``None``.

    ``state`` is what it was seen to have meanwhile. A ``failed`` try counts as one without success.
    """

    reason: str
    after: timedelta | None = None
    state: DoiState | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class RemoteDoi:
    """A DOI as a registrar lists it; ``state`` is ``None`` where the registrar has no such thing."""

    doi: str
    state: DoiState | None
    url: str | None


class RegistrarDown(Exception):
    """No answer that tells anything about the DOI: try again. The work may have been done nevertheless."""

    def __init__(self, reason: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class RegistrarRefused(Exception):
    """The registrar will not have this DOI as it is."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Pace(Protocol):
    """How fast a registrar may be asked, by all processes together."""

    @property
    def interval(self) -> timedelta:
        """From one turn to the next, when many wait."""
        ...

    async def take(self) -> float:
        """Take a turn; the seconds until it comes. Turns are given ahead, in order: nobody has to ask again."""
        ...


class Registrar(Protocol):
    """Somebody who registers the DOIs under some prefixes. Asking again for the same does no harm."""

    @property
    def name(self) -> str:
        """What it is called in settings and in answers."""
        ...

    @property
    def base_url(self) -> str: ...

    @property
    def prefixes(self) -> Collection[str]:
        """The DOI prefixes it has."""
        ...

    @property
    def interval(self) -> timedelta:
        """Between two requests, when many wait."""
        ...

    @property
    def lag(self) -> timedelta:
        """How long its list may not show yet what it has done."""
        ...

    def problems(self, doi: Doi) -> Sequence[FieldError]:
        """What it would refuse, known without asking."""
        ...

    async def bring(self, doi: Doi) -> Reached | Underway:
        """Bring the registrar to what is wanted of ``doi``, or see how far that is.

        Raises ``RegistrarDown``, or ``RegistrarRefused`` for good.
        """
        ...

    def listed(self) -> AsyncIterator[Sequence[RemoteDoi]]:
        """Every DOI under the prefixes, page by page. Raises ``RegistrarDown`` or ``RegistrarRefused``."""
        ...
