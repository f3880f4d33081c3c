"""Test runs from request to verdict."""

from __future__ import annotations

from datetime import timedelta

from indigo_contracts.dmp import PlanState, TestLevel
from indigo_contracts.integrity import (
    FixityFailed,
    RunFinished,
    RunRequested,
    RunStarted,
    RunState,
    Verdict,
)
from indigo_contracts.repository import RecordSnapshot, RecordState
from indigo_kernel.ids import new_id
from indigo_kernel.problems import Conflict, NotFound

from indigo_integrity.application.ports import Work
from indigo_integrity.domain.outcome import Outcome
from indigo_integrity.domain.run import Run, Trigger
from indigo_integrity.domain.storable import storable, storable_finding
from indigo_integrity.domain.subject import Subject, fixity_subject, subjects_of

JOB = "run"
"""Kind of the jobs that carry out runs; the key is the run's id."""


async def request_run(work: Work, subject: Subject, trigger: Trigger, *, key: str | None = None) -> Run | None:
    """Queue a run. With a ``key``, only the first request counts, and later ones return None."""
    run_id = new_id()
    run = Run(run_id, key or f"{trigger}/{run_id}", trigger, subject, work.now)
    if not await work.runs.add(run):
        return None
    await work.enqueue(JOB, run_id, {})
    work.emit(RunRequested(run=run.snapshot(work.base_url)), subject=f"runs/{run_id}", version=run.version)
    return run


async def request_due_runs(work: Work, plan_id: str) -> None:
    """Queue every test of the plan that can run now and was not run on these records before.

    Called for each fact about the plan or its records, so their order does not matter.
    """
    plan = await work.plans.get(plan_id)
    if plan is None or plan.state is not PlanState.PUBLISHED:
        return
    records = {
        record.plan.output: record
        for record in await work.records.published_of(plan_id)
        if record.plan and record.plan.output
    }
    for output in plan.outputs:
        if (record := records.get(output.key)) is not None:
            for subject in subjects_of(output, record, records):
                await request_run(work, subject, "published", key=subject.key)


async def demand_runs(work: Work, record_id: str, test: str | None) -> list[Run]:
    """Run a record's tests now, or the one with key ``test``.

    Raises ``NotFound`` for an unknown record or test, ``Conflict`` when no plan defines tests for it.
    """
    record = await published_record(work, record_id)
    plan = await work.plans.get(record.plan.plan_id) if record.plan else None
    outputs = plan.outputs if plan and plan.state is PlanState.PUBLISHED else []
    output = next((each for each in outputs if record.plan and each.key == record.plan.output), None)
    if plan is None or output is None:
        raise Conflict("No published plan defines tests for this record; its fixity can be tested")
    records = {
        each.plan.output: each
        for each in await work.records.published_of(plan.plan_id)
        if each.plan and each.plan.output
    }
    subjects = [each for each in subjects_of(output, record, records) if test in (None, each.test)]
    if not subjects:
        known = any(each.key == test for each in output.tests)
        if test is not None and not known:
            raise NotFound(f"The plan has no test {test} for this record")
        raise Conflict("The tests wait for the software they run to be published")
    return [run for each in subjects if (run := await request_run(work, each, "demand")) is not None]


async def demand_fixity(work: Work, record_id: str) -> Run:
    """Re-read a record's files now. Raises ``NotFound`` for an unknown record."""
    record = await published_record(work, record_id)
    run = await request_run(work, await _fixity_subject(work, record), "demand")
    assert run is not None  # a run without a key is always new
    return run


async def sweep_fixity(work: Work, interval: timedelta, limit: int) -> int:
    """Queue the re-reads that are due, at most ``limit``; how many there were."""
    due = await work.fixity.take_due(work.now, work.now + interval, limit)
    for record_id in due:
        record = await work.records.get(record_id)
        if record is None or record.state is not RecordState.PUBLISHED:
            await work.fixity.drop(record_id)
            continue
        await request_run(work, await _fixity_subject(work, record), "schedule")
    return len(due)


async def _fixity_subject(work: Work, record: RecordSnapshot) -> Subject:
    plan = await work.plans.get(record.plan.plan_id) if record.plan else None
    outputs = plan.outputs if plan and plan.state is PlanState.PUBLISHED else []
    output = next((each for each in outputs if record.plan and each.key == record.plan.output), None)
    return fixity_subject(record, output)


async def published_record(work: Work, record_id: str) -> RecordSnapshot:
    record = await work.records.get(record_id)
    if record is None or record.state is not RecordState.PUBLISHED:
        raise NotFound(f"There is no published record {record_id}")
    return record


async def start_run(work: Work, run_id: str) -> Run | None:
    """Begin, or begin again after a worker died. None when there is nothing left to do."""
    run = await work.runs.get(run_id, lock=True)
    if run is None or run.state in {RunState.FINISHED, RunState.CANCELLED}:
        return None
    if run.state is RunState.QUEUED:
        run = run.start(work.now)
        await work.runs.save(run)
        work.emit(RunStarted(run=run.snapshot(work.base_url)), subject=f"runs/{run_id}", version=run.version)
    return run


async def finish_run(work: Work, run_id: str, outcome: Outcome, fixity_interval: timedelta) -> None:
    """Store the verdict with everything that was found, and state it."""
    run = await work.runs.get(run_id, lock=True)
    if run is None or run.state in {RunState.FINISHED, RunState.CANCELLED}:
        return
    findings = [storable_finding(each) for each in outcome.findings]
    clean = Outcome(
        outcome.verdict,
        outcome.summary,
        findings,
        outcome.counts,
        storable(outcome.evidence),
        outcome.damaged,
    )
    run = run.finish(clean, work.now)
    await work.runs.save(run)
    await work.runs.save_findings(run_id, findings)
    subject = f"runs/{run_id}"
    work.emit(RunFinished(run=run.snapshot(work.base_url)), subject=subject, version=run.version)
    record = run.subject.record
    if run.level is TestLevel.EXISTENCE and outcome.verdict in {Verdict.PASS, Verdict.FAIL}:
        await work.fixity.checked(record.record_id, work.now, work.now + fixity_interval)
    if outcome.damaged:
        failed = FixityFailed(
            run_id=run_id,
            record_id=record.record_id,
            plan=record.plan,
            files=outcome.damaged,
            checked_at=work.now,
        )
        work.emit(failed, subject=subject, version=run.version)
