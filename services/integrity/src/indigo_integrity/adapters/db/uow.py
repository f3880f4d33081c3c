"""The service's unit of work."""

from __future__ import annotations

from indigo_kernel.db.uow import Database, UnitOfWork

from indigo_integrity.adapters.db.fixity import FixityRows
from indigo_integrity.adapters.db.runs import RunRows
from indigo_integrity.adapters.db.snapshots import PlanRows, RecordRows


class IntegrityWork(UnitOfWork):
    """``application.ports.Work`` over one PostgreSQL transaction."""

    plans: PlanRows
    records: RecordRows
    runs: RunRows
    fixity: FixityRows

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.base_url = database.source

    async def open(self) -> None:
        self.plans = PlanRows(self.conn)
        self.records = RecordRows(self.conn)
        self.runs = RunRows(self.conn)
        self.fixity = FixityRows(self.conn)
