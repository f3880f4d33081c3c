"""Runs and what they found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from indigo_contracts.dmp import PlannedOutput
from indigo_contracts.integrity import Finding, RunState, Verdict
from indigo_contracts.repository import RecordSnapshot
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_integrity.adapters.db.tables import findings, runs
from indigo_integrity.application.ports import RunFilter
from indigo_integrity.domain.run import Run
from indigo_integrity.domain.subject import Subject


class RunRows:
    """``application.ports.Runs``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def add(self, run: Run) -> bool:
        record = run.subject.record
        values = {
            "run_id": run.run_id,
            "key": run.key,
            "trigger": run.trigger,
            "test": run.subject.test,
            "record_id": record.record_id,
            "plan_id": record.plan.plan_id if record.plan else None,
            "subject": _subject(run.subject),
            "requested_at": run.requested_at,
            **_state(run),
        }
        added = await self._conn.execute(
            insert(runs).values(**values).on_conflict_do_nothing(index_elements=["key"]).returning(runs.c.run_id)
        )
        return added.first() is not None

    async def get(self, run_id: str, *, lock: bool = False) -> Run | None:
        query = sa.select(runs).where(runs.c.run_id == run_id)
        row = (await self._conn.execute(query.with_for_update() if lock else query)).one_or_none()
        return _run(row) if row else None

    async def save(self, run: Run) -> None:
        await self._conn.execute(sa.update(runs).where(runs.c.run_id == run.run_id).values(**_state(run)))

    async def save_findings(self, run_id: str, findings_: Sequence[Finding]) -> None:
        if findings_:
            await self._conn.execute(
                sa.insert(findings),
                [
                    {"run_id": run_id, "number": number, "finding": each.model_dump(mode="json")}
                    for number, each in enumerate(findings_, start=1)
                ],
            )

    async def findings(self, run_id: str, after: int, limit: int) -> list[tuple[int, Finding]]:
        rows = await self._conn.execute(
            sa.select(findings.c.number, findings.c.finding)
            .where(findings.c.run_id == run_id, findings.c.number > after)
            .order_by(findings.c.number)
            .limit(limit)
        )
        return [(row.number, Finding.model_validate(row.finding)) for row in rows]

    async def page(self, which: RunFilter, before: tuple[datetime, str] | None, limit: int) -> list[Run]:
        query = sa.select(runs).order_by(runs.c.requested_at.desc(), runs.c.run_id.desc()).limit(limit)
        if which.record_id is not None:
            query = query.where(runs.c.record_id == which.record_id)
        if which.plan_id is not None:
            query = query.where(runs.c.plan_id == which.plan_id)
        if which.state is not None:
            query = query.where(runs.c.state == which.state.value)
        if before is not None:
            query = query.where(sa.tuple_(runs.c.requested_at, runs.c.run_id) < sa.tuple_(*before))
        return [_run(row) for row in await self._conn.execute(query)]


def _state(run: Run) -> dict[str, Any]:
    """The columns that change while a run lives."""
    return {
        "version": run.version,
        "state": run.state.value,
        "verdict": run.verdict.value if run.verdict else None,
        "summary": run.summary,
        "counts": run.counts,
        "findings": [each.model_dump(mode="json") for each in run.findings],
        "evidence": run.evidence,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


def _subject(subject: Subject) -> dict[str, Any]:
    parts = {"record": subject.record, "output": subject.output, "software": subject.software}
    return {name: part.model_dump(mode="json") for name, part in parts.items() if part is not None}


def _run(row: sa.Row[Any]) -> Run:
    parts = row.subject
    return Run(
        run_id=row.run_id,
        key=row.key,
        trigger=row.trigger,
        subject=Subject(
            test=row.test,
            record=RecordSnapshot.model_validate(parts["record"]),
            output=PlannedOutput.model_validate(parts["output"]) if "output" in parts else None,
            software=RecordSnapshot.model_validate(parts["software"]) if "software" in parts else None,
        ),
        requested_at=row.requested_at,
        version=row.version,
        state=RunState(row.state),
        verdict=Verdict(row.verdict) if row.verdict else None,
        summary=row.summary,
        counts=row.counts,
        findings=[Finding.model_validate(each) for each in row.findings],
        evidence=row.evidence,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
