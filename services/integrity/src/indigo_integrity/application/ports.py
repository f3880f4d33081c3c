"""What the use cases need from outside, as protocols; ``adapters`` has the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from indigo_contracts.dmp import Limits, TableSpec
from indigo_contracts.integrity import Finding
from indigo_contracts.repository import RecordFile


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


class Executor(Protocol):
    """Runs untrusted commands. ``isolation`` says in evidence how far they are kept apart."""

    name: str
    isolation: Literal["none", "process", "namespace", "container", "vm"]

    async def run(
        self, command: Sequence[str], *, data: Path, software: Path, outputs: Path, limits: Limits
    ) -> Execution:
        """Run ``command`` with ``data`` at ``/input`` and ``software`` at ``/software``.

        ``outputs`` is an empty directory for what the command leaves in ``/output``. Raises ``Trouble``
        when the sandbox cannot be started.
        """
        ...


