"""What other services say about a record: identifiers, test results, copies, damage. Repeats do no harm."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import structlog
from indigo_contracts.dmp import TestLevel
from indigo_contracts.integrity import DamagedFile, FixityFailed, RunSnapshot, RunState, Verdict
from indigo_contracts.pid import IdentifierSnapshot
from indigo_contracts.qos import TransitionSnapshot
from indigo_contracts.repository import Identifiers, RecordState, RecordUpdated

from indigo_repository.application import fixity
from indigo_repository.application.snapshots import state_fact
from indigo_repository.application.work import Work
from indigo_repository.domain.premis import EventType, Outcome, PreservationEvent
from indigo_repository.domain.record import Record
from indigo_repository.domain.results import TestResult
from indigo_repository.domain.site import Site

log = structlog.get_logger()

_OUTCOMES: dict[Verdict, Outcome] = {Verdict.PASS: "success", Verdict.FAIL: "failure"}


async def take_identifier(
    work: Work, identifier: IdentifierSnapshot, site: Site
) -> Literal["applied", "ignored", "unknown"]:
    """Note the identifiers of a record; ``unknown`` when there is no record they could be of."""
    record = await _identified(work, identifier)
    if record is None:
        return "unknown"
    if identifier.version <= await work.records.identifier_version(record.id):
        return "ignored"
    await work.records.note_identifier_version(record.id, identifier.version)
    known = Identifiers(handle=identifier.handle, ark=identifier.ark, doi=identifier.doi)
    if known == record.identifiers:
        return "ignored"
    record = record.changed(work.now, identifiers=known)
    await work.records.save(record)
    if record.state is RecordState.PUBLISHED:
        await state_fact(work, RecordUpdated, record, site, record.owner)
    return "applied"


async def _identified(work: Work, identifier: IdentifierSnapshot) -> Record | None:
    if identifier.record_id is not None:
        return await work.records.find(identifier.record_id, lock=True)
    plan = identifier.plan
    if plan is None:
        return None
    if plan.output is not None:
        return await work.records.of_output(plan.plan_id, plan.output)
    chain = await work.records.of_plan(plan.plan_id)
    return next((record for record in chain if record.plan and record.plan.edition == plan.edition), None)


async def take_run(work: Work, run: RunSnapshot, agent: str) -> None:
    """Show the verdict of a finished test run on the record, and log it."""
    record = await work.records.find(run.record_id, lock=True)
    if record is None or run.state is not RunState.FINISHED or run.verdict is None:
        log.info("run.ignored", record_id=run.record_id, run_id=run.run_id, state=run.state)
        return
    finished = run.finished_at or work.now
    kept = await work.results.put(
        TestResult(
            record_id=record.id,
            test=run.test,
            run_id=run.run_id,
            level=run.level.value,
            title=run.title,
            verdict=run.verdict.value,
            summary=run.summary,
            finished_at=finished,
            report_url=run.report_url,
        )
    )
    if kept:
        await work.records.save(record.changed(work.now))
    await work.events.add(
        PreservationEvent(
            record.id,
            EventType.VALIDATION,
            finished,
            _OUTCOMES.get(run.verdict, "warning"),
            f"{run.level.value} test {run.test!r}: {run.verdict.value}"
            + (f", {run.summary}" if run.summary else ""),
            agent,
            detail={"run_id": run.run_id, "report_url": run.report_url},
        )
    )
    if run.level is TestLevel.EXISTENCE and run.verdict is Verdict.PASS:
        await _look_again(work, record, run.run_id)


async def _look_again(work: Work, record: Record, run_id: str) -> None:
    """Somebody read every file well: those marked as damaged here are verified, and cleared when it is so."""
    if any(file.damage is not None for file in await work.files.of(record.id)):
        await work.enqueue(fixity.JOB, record.id, {"run_id": run_id})


async def take_transition(work: Work, transition: TransitionSnapshot, agent: str) -> None:
    """Log that a copy of the record was placed, with what the storage was seen to hold."""
    if transition.record_id is None:
        return
    record = await work.records.find(transition.record_id)
    if record is None:
        log.info("transition.ignored", record_id=transition.record_id, transition_id=transition.transition_id)
        return
    await work.events.add(
        PreservationEvent(
            record.id,
            EventType.REPLICATION,
            transition.finished_at or work.now,
            "success",
            f"{len(transition.objects)} objects at storage class {transition.target_class}",
            agent,
            detail={
                "transition_id": transition.transition_id,
                "path": transition.path,
                "backend": transition.backend,
                "storage_class": transition.target_class,
                "localities": sorted({each.locality.value for each in transition.objects}),
            },
        )
    )


async def take_fixity_failure(work: Work, failure: FixityFailed, agent: str) -> None:
    """Log the damage that was seen, and have the record verified here; the verification marks the files."""
    record = await work.records.find(failure.record_id)
    if record is None or record.state is RecordState.DRAFT:
        log.info("fixity_failure.ignored", record_id=failure.record_id, run_id=failure.run_id)
        return
    await work.events.add(*[_damage(record, failure.checked_at, agent, file) for file in failure.files])
    await work.enqueue(fixity.JOB, record.id, {"run_id": failure.run_id})


def _damage(record: Record, at: datetime, agent: str, file: DamagedFile) -> PreservationEvent:
    detail = {"expected_sha256": file.expected_sha256, "observed_sha256": file.observed_sha256}
    summary = f"{file.file} was read as {file.problem}"
    return PreservationEvent(
        record.id, EventType.FIXITY_CHECK, at, "failure", summary, agent, (file.file,), detail
    )
