"""A test run has a verdict: the record shows it and the log has it."""

from __future__ import annotations

from indigo_contracts.envelope import Envelope
from indigo_contracts.integrity import RunFinished

from indigo_repository.application.evidence import take_run
from indigo_repository.application.work import Work


async def on_run_finished(work: Work, fact: RunFinished, envelope: Envelope) -> None:
    await take_run(work, fact.run, envelope.source)
