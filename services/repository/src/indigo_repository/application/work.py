"""The unit of work as the use cases see it: repositories over one transaction, facts and jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from indigo_contracts.envelope import Envelope, Fact
from indigo_contracts.repository import RecordKind

from indigo_repository.domain.files import Damage, File
from indigo_repository.domain.plan import PlanEdition
from indigo_repository.domain.premis import PreservationEvent
from indigo_repository.domain.record import Record
from indigo_repository.domain.results import TestResult


@dataclass(frozen=True, slots=True)
class Search:
    """What a search asks for. Drafts are found by their owner (``owner_iss``, ``owner_sub``) alone."""

    q: str | None
    kind: RecordKind | None
    plan_id: str | None
    output: str | None
    owner_iss: str | None
    owner_sub: str | None


class Records(Protocol):
    async def get(self, record_id: str, *, lock: bool = False) -> Record:
        """Raises ``NotFound``. With ``lock`` no other transaction changes the record until this one ends."""
        ...

    async def find(self, record_id: str, *, lock: bool = False) -> Record | None:
        """Like ``get``, with None for a record that is not there."""
        ...

    async def add(self, record: Record) -> None: ...

    async def save(self, record: Record) -> None: ...

    async def remove(self, record_id: str) -> None: ...

    async def of_output(self, plan_id: str, output: str) -> Record | None:
        """The first record of a planned output, locked."""
        ...

    async def of_plan(self, plan_id: str) -> list[Record]:
        """The records of the plan itself, oldest edition first, locked."""
        ...

    async def superseded(self, records: Sequence[Record]) -> set[str]:
        """Ids of those of the records that have a newer published one in their chain."""
        ...

    async def identifier_version(self, record_id: str) -> int:
        """Version of the identifier snapshot that was applied last; 0 before the first."""
        ...

    async def note_identifier_version(self, record_id: str, version: int) -> None: ...

    async def search(self, search: Search, *, before: str | None, limit: int) -> list[Record]:
        """Newest first."""
        ...

    async def count(self, search: Search) -> int: ...


class Files(Protocol):
    async def of(self, record_id: str) -> list[File]:
        """Every file of a record, by key."""
        ...

    async def get(self, record_id: str, key: str) -> File:
        """Raises ``NotFound``."""
        ...

    async def add(self, files: Iterable[File]) -> None: ...

    async def save(self, file: File) -> None: ...

    async def preserved(self, record_id: str, paths: dict[str, str]) -> None:
        """Note where the content of the files is in the store; their staged blobs are needed no more."""
        ...

    async def checked(self, record_id: str, damages: dict[str, Damage | None], at: datetime) -> None:
        """Note what a fixity check found for each file."""
        ...

    async def remove(self, record_id: str, key: str) -> None: ...

    async def totals(self, record_ids: list[str]) -> dict[str, tuple[int, int]]:
        """Record id → (number of files, bytes)."""
        ...

    async def referenced(self, blobs: list[str]) -> set[str]:
        """Which of the blobs some file still needs."""
        ...


class Events(Protocol):
    async def add(self, *events: PreservationEvent) -> None: ...

    async def of(self, record_id: str, *, after: int | None, limit: int) -> list[PreservationEvent]:
        """In the order they were logged."""
        ...


class Results(Protocol):
    async def put(self, result: TestResult) -> bool:
        """Keep a result unless a later one of the test is there; whether it was kept."""
        ...

    async def of(self, record_id: str) -> list[TestResult]: ...


class Plans(Protocol):
    async def get(self, plan_id: str) -> PlanEdition | None:
        """The plan as last told, locked against others who take the same plan."""
        ...

    async def url(self, plan_id: str) -> str | None:
        """The page of a plan; None for a plan that was never told of."""
        ...

    async def put(self, plan: PlanEdition) -> None: ...


class Work(Protocol):
    """One transaction; whoever opened it commits it."""

    now: datetime

    @property
    def records(self) -> Records: ...

    @property
    def files(self) -> Files: ...

    @property
    def events(self) -> Events: ...

    @property
    def results(self) -> Results: ...

    @property
    def plans(self) -> Plans: ...

    def emit(self, fact: Fact, *, subject: str, version: int) -> Envelope: ...

    async def enqueue(
        self, kind: str, key: str, payload: dict[str, Any], *, run_at: datetime | None = None
    ) -> None: ...

    def after_commit(self, call: Callable[[], None]) -> None: ...


OpenWork = Callable[[], AbstractAsyncContextManager[Work]]
"""Begins a transaction that is committed when its block is left."""
