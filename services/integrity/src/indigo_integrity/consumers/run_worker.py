"""The edge of the job queue: a leased job in, a test carried out, a verdict stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import structlog
from indigo_contracts.integrity import Verdict
from indigo_contracts.repository import RecordState
from indigo_kernel.db.uow import Job

from indigo_integrity.application.levels.base import Tools
from indigo_integrity.application.ports import Transaction
from indigo_integrity.application.runs import finish_run, start_run
from indigo_integrity.application.testing import run_test
from indigo_integrity.domain.outcome import Outcome, not_applicable

log = structlog.get_logger()


class JobWork(Transaction, Protocol):
    """A transaction that can end a job."""

    async def finish(self, job: Job) -> None: ...


class RunWorker:
    """Carries out runs. Whatever the test raises is trouble of the infrastructure: the job is tried again."""

    def __init__(self, work: Callable[[], JobWork], tools: Tools, fixity_interval: timedelta) -> None:
        self._work = work
        self._tools = tools
        self._fixity_interval = fixity_interval

    async def handle(self, job: Job) -> None:
        """A run that was killed half-way starts again; its effect happens once, with the end of the job."""
        async with self._work() as work:
            run = await start_run(work, job.key)
            if run is None:
                await work.finish(job)
                return
            record = await work.records.get(run.subject.record.record_id)
        withdrawn = record is not None and record.state is RecordState.WITHDRAWN
        if withdrawn:
            outcome = not_applicable("The record was withdrawn")
        else:
            outcome = await run_test(run.subject, self._tools)
        async with self._work() as work:
            await finish_run(work, job.key, outcome, self._fixity_interval)
            await work.finish(job)
        log.info("run.finished", run_id=job.key, level=run.level, verdict=outcome.verdict)

    async def give_up(self, job: Job, error: BaseException) -> None:
        """The last try failed: the test said nothing about its object, and that is the verdict."""
        message = f"The test could not be carried out: {error}"
        outcome = Outcome(Verdict.ERROR, message, evidence={"attempts": job.attempts, "error": repr(error)})
        async with self._work() as work:
            await finish_run(work, job.key, outcome, self._fixity_interval)
