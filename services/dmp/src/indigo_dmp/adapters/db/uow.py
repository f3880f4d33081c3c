"""The unit of work of the plan service."""

from __future__ import annotations

from indigo_kernel.db.uow import UnitOfWork

from indigo_dmp.adapters.db.plans import PlanTable
from indigo_dmp.adapters.db.promises import PromiseTable
from indigo_dmp.application.ports import Plans, Promises


class DmpUnitOfWork(UnitOfWork):
    """Implements ``application.ports.Work``."""

    plans: Plans
    promises: Promises

    async def open(self) -> None:
        self.plans = PlanTable(self.conn, self.now)
        self.promises = PromiseTable(self.conn)

    def plan_url(self, plan_id: str) -> str:
        return f"{self._database.source}/plans/{plan_id}"
