"""One test run: its states, and how others see it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from indigo_contracts.dmp import TestLevel
from indigo_contracts.integrity import Finding, RunSnapshot, RunState, Verdict

from indigo_integrity.domain.outcome import Outcome
from indigo_integrity.domain.subject import Subject

Trigger = Literal["published", "schedule", "demand"]

SHOWN = 20
"""Findings in a snapshot; the report has all."""


@dataclass(frozen=True, slots=True)
class Run:
    """``version`` counts its changes; ``key`` is unique, so that a run is requested once."""

    run_id: str
    key: str
    trigger: Trigger
    subject: Subject
    requested_at: datetime
    version: int = 1
    state: RunState = RunState.QUEUED
    verdict: Verdict | None = None
    summary: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def restricted(self) -> bool:
        """Whether what the files hold is not for everybody."""
        records = [self.subject.record, *([self.subject.software] if self.subject.software else [])]
        return any(record.access != "open" for record in records)

    @property
    def level(self) -> TestLevel:
        return self.subject.level

    def start(self, now: datetime) -> Run:
        return replace(self, state=RunState.RUNNING, started_at=now, version=self.version + 1)

    def finish(self, outcome: Outcome, now: datetime) -> Run:
        """Ended with ``outcome``; of its findings the first are kept here."""
        return replace(
            self,
            state=RunState.FINISHED,
            verdict=outcome.verdict,
            summary=outcome.summary,
            counts=outcome.counts,
            findings=outcome.findings[:SHOWN],
            evidence=outcome.evidence,
            finished_at=now,
            version=self.version + 1,
        )

    def snapshot(self, base_url: str) -> RunSnapshot:
        """The run as anyone may see it: of files that are not open, no values and no program output."""
        findings, evidence = self.findings, self.evidence
        if self.restricted:
            findings = [each.model_copy(update={"observed": None}) for each in findings]
            evidence = {name: each for name, each in evidence.items() if name not in {"stdout", "stderr"}}
        return RunSnapshot(
            run_id=self.run_id,
            test=self.subject.test,
            level=self.level,
            title=self.subject.title,
            record_id=self.subject.record.record_id,
            plan=self.subject.record.plan,
            trigger=self.trigger,
            state=self.state,
            verdict=self.verdict,
            summary=self.summary,
            counts=self.counts,
            findings=findings,
            evidence=evidence,
            requested_at=self.requested_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
            report_url=f"{base_url}/api/runs/{self.run_id}/report",
        )
