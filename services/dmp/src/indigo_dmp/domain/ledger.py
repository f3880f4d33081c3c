"""The ledger: what a plan promises, and whether the evidence shows that it is kept.

A promise remembers the newest decisive reading of each aspect. Merging readings is commutative, associative
and idempotent, so events may come in any order, and twice, and the outcome is the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from indigo_contracts.dmp import (
    ContentTest,
    Evidence,
    PlannedOutput,
    PlanSnapshot,
    PromiseKind,
    PromiseSnapshot,
    PromiseState,
    TestDefinition,
    TestLevel,
)

from indigo_dmp.domain.readings import Outcome, Reading

Aspect = tuple[str, str]
Slot = tuple[str | None, PromiseKind, str | None]
"""Output, kind and test: what makes a promise of a plan the same one in the next edition."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is promised. ``storage_class`` is set for storage, ``test`` and ``level`` for tests.

    ``digest`` tells one definition of a test from another under the same key.
    """

    output: str | None
    kind: PromiseKind
    title: str
    due: date | None = None
    test: str | None = None
    level: TestLevel | None = None
    storage_class: str | None = None
    digest: str = ""

    @property
    def slot(self) -> Slot:
        return self.output, self.kind, self.test


@dataclass(frozen=True, slots=True)
class Promise:
    """One line of the ledger. ``since`` is when its terms began to count, ``revision`` counts state changes."""

    id: str
    plan_id: str
    terms: Terms
    since: datetime
    state: PromiseState = PromiseState.PLANNED
    evidence: Evidence | None = None
    revision: int = 0
    retired_at: datetime | None = None
    newest: Mapping[Aspect, Reading] = field(default_factory=dict)

    def concerned_by(self, reading: Reading) -> bool:
        """Whether ``reading`` speaks about this promise."""
        terms = self.terms
        return (
            (reading.plan_id, reading.output, reading.kind) == (self.plan_id, terms.output, terms.kind)
            and reading.test in (None, terms.test)
            and reading.level in (None, terms.level)
        )

    def with_readings(self, readings: Iterable[Reading]) -> Promise:
        """The promise with the newest of its readings and ``readings``, not yet judged."""
        newest = dict(self.newest)
        for reading in readings:
            if not self.concerned_by(reading) or reading.outcome is Outcome.NOTE:
                continue
            known = newest.get(reading.aspect)
            if known is None or known.order < reading.order:
                newest[reading.aspect] = reading
        return replace(self, newest=newest)


def promised(plan: PlanSnapshot) -> list[Terms]:
    """Everything ``plan`` promises: its own record and identifier, then those of each output."""
    terms = [
        Terms(None, PromiseKind.RECORD, "The plan is preserved in the repository"),
        Terms(None, PromiseKind.IDENTIFIER, "The plan has a persistent identifier"),
    ]
    for output in plan.outputs:
        terms.extend(_promised_of(output))
    return terms


def _promised_of(output: PlannedOutput) -> Iterable[Terms]:
    title, key, due = output.title, output.key, output.due
    yield Terms(key, PromiseKind.RECORD, f"{title}: published in the repository", due)
    yield Terms(key, PromiseKind.IDENTIFIER, f"{title}: findable under a persistent identifier", due)
    if output.storage:
        wanted = output.storage.storage_class
        yield Terms(key, PromiseKind.STORAGE, f"{title}: stored as {wanted}", due, storage_class=wanted)
    for test in output.tests:
        yield Terms(
            key,
            PromiseKind.TEST,
            f"{title}: {test.title or test.key}",
            due,
            test=test.key,
            level=test.level,
            digest=_digest(test, output),
        )


def _digest(test: TestDefinition, output: PlannedOutput) -> str:
    parts = [test.model_dump(mode="json", exclude={"title"})]
    if isinstance(test, ContentTest) and output.structure:
        parts.append(output.structure.model_dump(mode="json"))
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def renewed(promise: Promise, terms: Terms, now: datetime, today: date) -> Promise:
    """The promise under the terms of a further edition. Verdicts on another test do not count for the new one."""
    changed = terms.digest != promise.terms.digest
    since = now if changed else promise.since
    return judge(replace(promise, terms=terms, since=since, retired_at=None), (), today)


def judge(promise: Promise, readings: Iterable[Reading], today: date) -> Promise:
    """The promise after ``readings``, some of which may be known, old, or about something else.

    ``revision`` grows by one when the state changes. A promise nothing decides is planned until the day it
    is due has passed, and due from then on.
    """
    promise = promise.with_readings(readings)
    state, evidence = _decide(promise, today)
    revision = promise.revision + (state is not promise.state)
    return replace(promise, state=state, evidence=evidence, revision=revision)


def _decide(promise: Promise, today: date) -> tuple[PromiseState, Evidence | None]:
    counted = [_seen_by(promise.terms, reading) for reading in promise.newest.values()]
    if promise.terms.kind is PromiseKind.RECORD:
        good, bad = _record(counted)
    elif promise.terms.kind is PromiseKind.IDENTIFIER:
        good, bad = _identifier(counted)
    elif promise.terms.kind is PromiseKind.STORAGE:
        good, bad = _split(_uppermost(counted))
    else:
        good, bad = _split([reading for reading in counted if reading.evidence.at >= promise.since])
    if bad:
        return PromiseState.BROKEN, _with_damage(max(bad, key=_order).evidence, bad)
    if good:
        return PromiseState.KEPT, max(good, key=_order).evidence
    overdue = promise.terms.due is not None and promise.terms.due < today
    return (PromiseState.DUE if overdue else PromiseState.PLANNED), None


def _order(reading: Reading) -> tuple[datetime, str]:
    return reading.order


def _split(readings: Iterable[Reading]) -> tuple[list[Reading], list[Reading]]:
    good: list[Reading] = []
    bad: list[Reading] = []
    for reading in readings:
        (good if reading.outcome is Outcome.GOOD else bad).append(reading)
    return good, bad


def _seen_by(terms: Terms, reading: Reading) -> Reading:
    """Bytes that are well placed, but in another class than the promised one, break the promise."""
    if terms.storage_class is None or reading.outcome is Outcome.BAD or reading.classes == {terms.storage_class}:
        return reading
    found = ", ".join(sorted(reading.classes))
    said = f"Promised {terms.storage_class}, observed {found}"
    evidence = reading.evidence.model_copy(update={"summary": said})
    return replace(reading, outcome=Outcome.BAD, evidence=evidence)


def _record(readings: list[Reading]) -> tuple[list[Reading], list[Reading]]:
    """One published record keeps the promise; a damaged file of a record that stands breaks it."""
    good, bad = _split(reading for reading in readings if reading.group == "record")
    withdrawn = {reading.member for reading in bad}
    files = [reading for reading in readings if reading.group.startswith("file:")]
    standing = [reading for reading in files if reading.group.removeprefix("file:") not in withdrawn]
    mended, damaged = _split(standing)
    if damaged:
        return [], damaged
    return (good + mended, []) if good else ([], bad)


def _identifier(readings: list[Reading]) -> tuple[list[Reading], list[Reading]]:
    """One handle that is active and whose DOI is findable keeps the promise."""
    good, bad = _split(readings)
    groups: dict[str, set[str]] = {}
    for reading in good:
        groups.setdefault(reading.member, set()).add(reading.group)
    whole = {handle for handle, seen in groups.items() if seen == {"handle", "doi"}}
    if whole:
        return [reading for reading in good if reading.member in whole], []
    return [], bad


def _uppermost(readings: list[Reading]) -> list[Reading]:
    """Without the readings about a path that a newer one about the same tree, or a larger one, replaces."""
    return [
        reading
        for reading in readings
        if not any(
            other.order > reading.order and reading.member.startswith(other.member.rstrip("/") + "/")
            for other in readings
        )
    ]


def _with_damage(evidence: Evidence, bad: list[Reading]) -> Evidence:
    """Name every file that is damaged now, not only those of the newest event."""
    files: dict[tuple[str, str], dict[str, object]] = {}
    for reading in sorted(bad, key=_order):
        for damaged in reading.evidence.details.get("files", ()):
            if reading.group.startswith("file:") and damaged["file"] == reading.member:
                files[reading.group, reading.member] = damaged
    if not files:
        return evidence
    named = [files[key] for key in sorted(files)]
    return evidence.model_copy(update={"details": {**evidence.details, "files": named}})


def snapshot(promise: Promise) -> PromiseSnapshot:
    """The promise as others see it."""
    terms = promise.terms
    return PromiseSnapshot(
        promise_id=promise.id,
        plan_id=promise.plan_id,
        output=terms.output,
        kind=terms.kind,
        test=terms.test,
        level=terms.level,
        title=terms.title,
        state=promise.state,
        due=terms.due,
        evidence=promise.evidence,
    )
