"""The repository's unit of work."""

from __future__ import annotations

from indigo_kernel.db.uow import UnitOfWork

from indigo_repository.adapters.db.evidence import EventRows, PlanRows, ResultRows
from indigo_repository.adapters.db.files import FileRows
from indigo_repository.adapters.db.records import RecordRows


class RepositoryUnitOfWork(UnitOfWork):
    """One transaction over records, their files and what happened to them."""

    records: RecordRows
    files: FileRows
    events: EventRows
    results: ResultRows
    plans: PlanRows

    async def open(self) -> None:
        self.records = RecordRows(self.conn)
        self.files = FileRows(self.conn)
        self.events = EventRows(self.conn)
        self.results = ResultRows(self.conn)
        self.plans = PlanRows(self.conn)
