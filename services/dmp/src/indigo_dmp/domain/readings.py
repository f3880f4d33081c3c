"""What a fact of another service says about a promise: its readings.

One reading speaks about one aspect of one promise: a record's state, the soundness of one file, a handle, a
DOI, one storage path, the verdict of a test. Of the readings of one aspect only the newest counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import singledispatch
from typing import Any

from indigo_contracts.dmp import Evidence, PromiseKind, TestLevel
from indigo_contracts.envelope import Fact
from indigo_contracts.integrity import FixityFailed, RunFinished, Verdict
from indigo_contracts.pid import (
    DoiFailed,
    DoiHidden,
    DoiRegistered,
    IdentifierMinted,
    IdentifierSnapshot,
    IdentifierState,
    IdentifierTombstoned,
    IdentifierUpdated,
)
from indigo_contracts.qos import Locality, TransitionCompleted, TransitionFailed, TransitionSnapshot
from indigo_contracts.repository import (
    FileCorrupted,
    FileRepaired,
    PlanLink,
    RecordPublished,
    RecordWithdrawn,
)


class Outcome(StrEnum):
    """``note`` is kept in the history and decides nothing."""

    GOOD = "good"
    BAD = "bad"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Reading:
    """``test`` and ``level`` narrow a reading of kind test to one test, or to those of one level.

    ``group`` and ``member`` name the aspect. ``classes`` are the storage classes that were observed.
    """

    plan_id: str
    output: str | None
    kind: PromiseKind
    group: str
    member: str
    outcome: Outcome
    evidence: Evidence
    test: str | None = None
    level: TestLevel | None = None
    classes: frozenset[str] = field(default_factory=frozenset)

    @property
    def aspect(self) -> tuple[str, str]:
        return self.group, self.member

    @property
    def order(self) -> tuple[datetime, str]:
        """Newer readings win; the event id (a UUIDv7) decides between those of one instant."""
        return self.evidence.at, self.evidence.event_id


VERDICT = ("test", "verdict")
"""The one aspect of a test promise."""


@singledispatch
def readings_of(fact: Fact, event_id: str, at: datetime) -> list[Reading]:
    """The readings in ``fact``, stated by event ``event_id`` at ``at``; none when it concerns no plan."""
    raise TypeError(f"{type(fact).__name__} is not evidence of a promise (event {event_id}, {at})")


EVIDENCE: tuple[type[Fact], ...] = (
    RecordPublished,
    RecordWithdrawn,
    FileCorrupted,
    FileRepaired,
    IdentifierMinted,
    IdentifierUpdated,
    IdentifierTombstoned,
    DoiRegistered,
    DoiFailed,
    DoiHidden,
    TransitionCompleted,
    TransitionFailed,
    RunFinished,
    FixityFailed,
)
"""The facts the ledger listens to."""


def _evidence(fact: Fact, event_id: str, at: datetime, summary: str, **details: Any) -> Evidence:
    return Evidence(event_id=event_id, fact=fact.fact, at=at, summary=summary, details=details)


def _reading(
    plan: PlanLink | None,
    kind: PromiseKind,
    aspect: tuple[str, str],
    outcome: Outcome,
    evidence: Evidence,
    **more: Any,
) -> list[Reading]:
    if plan is None:
        return []
    return [Reading(plan.plan_id, plan.output, kind, *aspect, outcome, evidence, **more)]


@readings_of.register
def _(fact: RecordPublished, event_id: str, at: datetime) -> list[Reading]:
    record = fact.record
    evidence = _evidence(
        fact, event_id, at, f"Record {record.record_id} is published", record_id=record.record_id, url=record.url
    )
    return _reading(record.plan, PromiseKind.RECORD, ("record", record.record_id), Outcome.GOOD, evidence)


@readings_of.register
def _(fact: RecordWithdrawn, event_id: str, at: datetime) -> list[Reading]:
    record = fact.record
    evidence = _evidence(
        fact,
        event_id,
        at,
        f"Record {record.record_id} was withdrawn: {fact.reason}",
        record_id=record.record_id,
        url=record.url,
        reason=fact.reason,
    )
    return _reading(record.plan, PromiseKind.RECORD, ("record", record.record_id), Outcome.BAD, evidence)


@readings_of.register
def _(fact: FileCorrupted, event_id: str, at: datetime) -> list[Reading]:
    damage = {
        "file": fact.file,
        "problem": fact.problem,
        "expected_sha256": fact.expected_sha256,
        "observed_sha256": fact.observed_sha256,
    }
    evidence = _evidence(
        fact,
        event_id,
        at,
        f"{fact.file} of record {fact.record_id} is {_SAID[fact.problem]}",
        record_id=fact.record_id,
        files=[damage],
    )
    return _damage(fact.plan, fact.record_id, [fact.file], evidence)


@readings_of.register
def _(fact: FixityFailed, event_id: str, at: datetime) -> list[Reading]:
    names = [damaged.file for damaged in fact.files]
    evidence = _evidence(
        fact,
        event_id,
        at,
        f"Files of record {fact.record_id} are damaged: {', '.join(names[:5])}{', …' if len(names) > 5 else ''}",
        record_id=fact.record_id,
        run_id=fact.run_id,
        files=[damaged.model_dump(mode="json") for damaged in fact.files],
    )
    return _damage(fact.plan, fact.record_id, names, evidence)


_SAID = {"changed": "changed", "missing": "missing", "unreadable": "not readable"}


def _damage(plan: PlanLink | None, record_id: str, files: list[str], evidence: Evidence) -> list[Reading]:
    """Damaged files break the promise of the record, and what its existence tests have shown before."""
    found = [
        reading
        for file in files
        for reading in _reading(plan, PromiseKind.RECORD, (f"file:{record_id}", file), Outcome.BAD, evidence)
    ]
    return found + _reading(plan, PromiseKind.TEST, VERDICT, Outcome.BAD, evidence, level=TestLevel.EXISTENCE)


@readings_of.register
def _(fact: FileRepaired, event_id: str, at: datetime) -> list[Reading]:
    evidence = _evidence(
        fact,
        event_id,
        at,
        f"{fact.file} of record {fact.record_id} was repaired from {fact.source}",
        record_id=fact.record_id,
        file=fact.file,
        source=fact.source,
    )
    aspect = (f"file:{fact.record_id}", fact.file)
    # A test promise waits for the next run: that a copy was restored is not that the test passes.
    return [
        *_reading(fact.plan, PromiseKind.RECORD, aspect, Outcome.GOOD, evidence),
        *_reading(fact.plan, PromiseKind.TEST, VERDICT, Outcome.NOTE, evidence, level=TestLevel.EXISTENCE),
    ]


_HANDLE = {
    IdentifierState.RESERVED: (Outcome.NOTE, "is reserved"),
    IdentifierState.ACTIVE: (Outcome.GOOD, "is active"),
    IdentifierState.TOMBSTONED: (Outcome.BAD, "is tombstoned"),
}


def _handle(fact: Fact, identifier: IdentifierSnapshot, event_id: str, at: datetime) -> list[Reading]:
    outcome, said = _HANDLE[identifier.state]
    evidence = _evidence(
        fact,
        event_id,
        at,
        f"Handle {identifier.handle} {said}",
        handle=identifier.handle,
        doi=identifier.doi,
        resolver_url=identifier.resolver_url,
    )
    return _reading(identifier.plan, PromiseKind.IDENTIFIER, ("handle", identifier.handle), outcome, evidence)


@readings_of.register
def _(fact: IdentifierMinted, event_id: str, at: datetime) -> list[Reading]:
    return _handle(fact, fact.identifier, event_id, at)


@readings_of.register
def _(fact: IdentifierUpdated, event_id: str, at: datetime) -> list[Reading]:
    return _handle(fact, fact.identifier, event_id, at)


@readings_of.register
def _(fact: IdentifierTombstoned, event_id: str, at: datetime) -> list[Reading]:
    return _handle(fact, fact.identifier, event_id, at)


def _doi(
    fact: DoiRegistered | DoiFailed | DoiHidden, outcome: Outcome, said: str, event_id: str, at: datetime
) -> list[Reading]:
    evidence = _evidence(
        fact,
        event_id,
        at,
        f"DOI {fact.doi} {said}",
        doi=fact.doi,
        handle=fact.handle,
        registrar=fact.registrar,
    )
    return _reading(fact.plan, PromiseKind.IDENTIFIER, ("doi", fact.handle), outcome, evidence)


@readings_of.register
def _(fact: DoiRegistered, event_id: str, at: datetime) -> list[Reading]:
    # Registered, but not findable: nothing is wrong, and the promise is not yet kept.
    outcome = Outcome.GOOD if fact.state == "findable" else Outcome.NOTE
    return _doi(fact, outcome, f"is {fact.state}", event_id, at)


@readings_of.register
def _(fact: DoiFailed, event_id: str, at: datetime) -> list[Reading]:
    return _doi(fact, Outcome.BAD, f"was refused: {fact.reason}", event_id, at)


@readings_of.register
def _(fact: DoiHidden, event_id: str, at: datetime) -> list[Reading]:
    return _doi(fact, Outcome.BAD, "is no longer findable", event_id, at)


_GONE = {Locality.LOST, Locality.NONE}


@readings_of.register
def _(fact: TransitionCompleted, event_id: str, at: datetime) -> list[Reading]:
    transition = fact.transition
    classes = sorted({placed.storage_class for placed in transition.objects})
    gone = [placed.path for placed in transition.objects if placed.locality in _GONE]
    if gone:
        outcome, said = Outcome.BAD, f"{len(gone)} objects below {transition.path} are not there"
    elif classes:
        outcome, said = Outcome.GOOD, f"{len(transition.objects)} objects at {', '.join(classes)}"
    else:
        outcome, said = Outcome.NOTE, f"Nothing was observed at {transition.path}"
    evidence = _evidence(
        fact, event_id, at, said, **_transition_details(transition), observed_classes=classes, missing=gone[:20]
    )
    return _storage(transition, outcome, evidence, frozenset(classes))


@readings_of.register
def _(fact: TransitionFailed, event_id: str, at: datetime) -> list[Reading]:
    transition = fact.transition
    said = f"{transition.path} did not reach {transition.target_class}: {transition.error or 'no reason given'}"
    evidence = _evidence(fact, event_id, at, said, **_transition_details(transition), error=transition.error)
    return _storage(transition, Outcome.BAD, evidence, frozenset())


def _transition_details(transition: TransitionSnapshot) -> dict[str, Any]:
    return {
        "transition_id": transition.transition_id,
        "path": transition.path,
        "target_class": transition.target_class,
        "backend": transition.backend,
    }


def _storage(
    transition: TransitionSnapshot, outcome: Outcome, evidence: Evidence, classes: frozenset[str]
) -> list[Reading]:
    path = transition.path.rstrip("/") or "/"
    return _reading(transition.plan, PromiseKind.STORAGE, ("path", path), outcome, evidence, classes=classes)


_TOLD = 5
"""Findings of a run the ledger shows; the report has all."""

_VERDICTS = {Verdict.PASS: Outcome.GOOD, Verdict.FAIL: Outcome.BAD}


@readings_of.register
def _(fact: RunFinished, event_id: str, at: datetime) -> list[Reading]:
    run = fact.run
    outcome = _VERDICTS.get(run.verdict, Outcome.NOTE) if run.verdict else Outcome.NOTE
    said = run.summary or f"Test {run.test}: {run.verdict.value if run.verdict else 'no verdict'}"
    evidence = _evidence(
        fact,
        event_id,
        run.finished_at or at,
        said,
        run_id=run.run_id,
        record_id=run.record_id,
        verdict=run.verdict.value if run.verdict else None,
        counts=run.counts,
        findings=[finding.model_dump(mode="json") for finding in run.findings[:_TOLD]],
        report_url=run.report_url,
    )
    return _reading(run.plan, PromiseKind.TEST, VERDICT, outcome, evidence, test=run.test, level=run.level)
