"""What the use cases need from outside, as protocols; ``adapters`` has the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from indigo_contracts.dmp import Limits, PlanSnapshot
from indigo_contracts.envelope import Envelope, Fact
from indigo_contracts.integrity import Finding, RunState
from indigo_contracts.repository import RecordFile, RecordSnapshot
from indigo_contracts.structure import TableSpec

from indigo_integrity.domain.run import Run


class Trouble(Exception):
    """The infrastructure is in the way: the test can say nothing about its object and is tried again."""


# --- the repository -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observed:
    """What reading one file back showed. ``sha256`` and ``size`` are absent when it could not be read whole."""

    state: Literal["read", "missing", "unreadable"]
    sha256: str | None = None
    size: int | None = None
    reason: str | None = None


class RecordSource(Protocol):
    """The repository's records and the bytes behind them."""

    async def exists(self, record_id: str) -> bool:
        """Whether the repository shows the record. Raises ``Trouble`` when it gives no usable answer."""
        ...

    async def read(self, record_id: str, file: RecordFile, *, to: Path | None = None) -> Observed:
        """Read every byte of a file from storage, and write it to ``to`` when given.

        Raises ``Trouble`` when the repository itself cannot be reached: that says nothing about the file.
        """
        ...


class Workspaces(Protocol):
    """Private directories for runs."""

    def fresh(self) -> AbstractAsyncContextManager[Path]:
        """An empty directory that is gone, with all it holds, after the block."""
        ...


# --- tables ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TableFiles:
    """One table and the files, on disk, that hold it: (key in the record, path)."""

    spec: TableSpec
    files: Sequence[tuple[str, Path]]


@dataclass(frozen=True, slots=True)
class TableReport:
    """What a validation saw. ``complete`` is false when a limit of the operator stopped it."""

    findings: list[Finding]
    rows: dict[str, int]
    complete: bool = True


class TableValidator(Protocol):
    async def validate(self, tables: Sequence[TableFiles], checked: Sequence[str], workspace: Path) -> TableReport:
        """Validate the tables named in ``checked``; the others are there for foreign keys.

        Raises ``Trouble`` when the engine itself fails.
        """
        ...


# --- the sandbox ----------------------------------------------------------------------------------


Stop = Literal["wall", "memory", "output"]
"""Which limit made the sandbox kill the command."""


@dataclass(frozen=True, slots=True)
class OutputEntry:
    """A regular file the command left in ``/output``."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Execution:
    """How a command ended. ``exit_code`` follows shells: 128 + n when signal n ended it.

    ``outputs`` are below the directory given to ``Executor.run``; ``rejected`` names what was left out of
    it, with the reason (``symlink``, ``special``, ``unreadable``, ``name``, ``too-many``, ``too-large``).
    """

    exit_code: int | None
    stopped: Stop | None
    stdout: bytes
    stderr: bytes
    stdout_bytes: int
    stderr_bytes: int
    wall_seconds: float
    peak_memory_bytes: int
    outputs: list[OutputEntry] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)


Isolation = Literal["none", "process", "namespace", "container", "vm"]


class Executor(Protocol):
    """Runs untrusted commands. ``isolation`` says in evidence how far they are kept apart."""

    @property
    def name(self) -> str: ...

    @property
    def isolation(self) -> Isolation: ...

    async def run(
        self, command: Sequence[str], *, data: Path, software: Path, outputs: Path, limits: Limits
    ) -> Execution:
        """Run ``command`` with ``data`` at ``/input`` and ``software`` at ``/software``.

        ``outputs`` is an empty directory for what the command leaves in ``/output``. Raises ``Trouble``
        when the sandbox cannot be started.
        """
        ...


# --- the database ---------------------------------------------------------------------------------


class Plans(Protocol):
    async def alone(self, plan_id: str) -> None:
        """Wait until no other transaction handles facts about this plan: of two facts that come at the same
        time, the second one sees what the first one brought.
        """
        ...

    async def put(self, plan: PlanSnapshot) -> None:
        """Keep the plan unless a later version of it is known."""
        ...

    async def get(self, plan_id: str) -> PlanSnapshot | None: ...


class Records(Protocol):
    async def put(self, record: RecordSnapshot) -> None:
        """Keep the record unless a later version of it is known."""
        ...

    async def get(self, record_id: str) -> RecordSnapshot | None: ...

    async def published_of(self, plan_id: str) -> list[RecordSnapshot]:
        """The plan's published records, the latest edition of each output only."""
        ...


@dataclass(frozen=True, slots=True)
class RunFilter:
    record_id: str | None = None
    plan_id: str | None = None
    state: RunState | None = None


class Runs(Protocol):
    async def add(self, run: Run) -> bool:
        """Store a new run; False when one with its key is there."""
        ...

    async def get(self, run_id: str, *, lock: bool = False) -> Run | None: ...

    async def save(self, run: Run) -> None: ...

    async def save_findings(self, run_id: str, findings: Sequence[Finding]) -> None: ...

    async def findings(self, run_id: str, after: int, limit: int) -> list[tuple[int, Finding]]:
        """Findings with their numbers, in order, those past number ``after``."""
        ...

    async def page(self, which: RunFilter, before: tuple[datetime, str] | None, limit: int) -> list[Run]:
        """Runs, newest first, from the one before ``before`` (requested at, id)."""
        ...


class FixitySchedule(Protocol):
    async def plan(self, record_id: str, due: datetime) -> None:
        """Re-read the record at ``due``, if it is not scheduled yet."""
        ...

    async def checked(self, record_id: str, at: datetime, next_due: datetime) -> None: ...

    async def drop(self, record_id: str) -> None: ...

    async def take_due(self, now: datetime, next_due: datetime, limit: int) -> list[str]:
        """Claim the records that are due, the stalest first, and schedule them again for ``next_due``."""
        ...


class Work(Protocol):
    """One transaction with the service's repositories in it."""

    now: datetime
    base_url: str

    @property
    def plans(self) -> Plans: ...

    @property
    def records(self) -> Records: ...

    @property
    def runs(self) -> Runs: ...

    @property
    def fixity(self) -> FixitySchedule: ...

    def emit(self, fact: Fact, *, subject: str, version: int) -> Envelope: ...

    async def enqueue(
        self, kind: str, key: str, payload: dict[str, Any], *, run_at: datetime | None = None
    ) -> None: ...


class Transaction(Work, Protocol):
    """Work as the edge opens it: committed when the block ends well, undone when it does not."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...
