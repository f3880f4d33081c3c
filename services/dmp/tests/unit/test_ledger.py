"""The ledger judges by the newest evidence, in whatever order and how often it comes."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_contracts.dmp import PromiseKind, PromiseState, TestLevel
from indigo_contracts.envelope import Fact
from indigo_contracts.integrity import DamagedFile, FixityFailed, RunFinished, RunSnapshot, RunState, Verdict
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
from indigo_contracts.qos import (
    Locality,
    PlacedObject,
    TransitionCompleted,
    TransitionFailed,
    TransitionSnapshot,
    TransitionState,
)
from indigo_contracts.repository import (
    FileCorrupted,
    FileRepaired,
    PlanLink,
    RecordKind,
    RecordPublished,
    RecordSnapshot,
    RecordState,
    RecordWithdrawn,
)
from indigo_dmp.domain.ledger import Promise, Terms, judge, renewed
from indigo_dmp.domain.readings import EVIDENCE, readings_of

T0 = datetime(2026, 2, 1, tzinfo=UTC)
TODAY = date(2026, 2, 1)
LINK = PlanLink(plan_id="p", edition=1, output="counts")
SHA = "0" * 64


def at(hour: float) -> datetime:
    return T0 + timedelta(hours=hour)


def record(record_id: str = "r1") -> RecordSnapshot:
    return RecordSnapshot(
        record_id=record_id,
        kind=RecordKind.DATASET,
        state=RecordState.PUBLISHED,
        version=1,
        title="t",
        publisher="p",
        url="http://r",
        api_url="http://r",
        plan=LINK,
    )


def identifier(state: IdentifierState, handle: str = "21.T1/a") -> IdentifierSnapshot:
    return IdentifierSnapshot(handle=handle, state=state, version=1, resolver_url="http://h", plan=LINK)


def transition(
    *classes: str, path: str = "/records/r1/", locality: Locality = Locality.DISK
) -> TransitionSnapshot:
    return TransitionSnapshot(
        transition_id="t",
        path=path,
        target_class="DiskAndTape",
        state=TransitionState.COMPLETED,
        plan=LINK,
        requested_at=T0,
        objects=[
            PlacedObject(path=f"{path}{number}", size=1, storage_class=name, locality=locality)
            for number, name in enumerate(classes)
        ],
    )


def run(verdict: Verdict, test: str = "there", level: TestLevel = TestLevel.EXISTENCE) -> RunFinished:
    return RunFinished(
        run=RunSnapshot(
            run_id="run",
            test=test,
            level=level,
            title="t",
            record_id="r1",
            plan=LINK,
            trigger="published",
            state=RunState.FINISHED,
            verdict=verdict,
            requested_at=T0,
            report_url="http://i",
        )
    )


def corrupted(file: str, record_id: str = "r1") -> FileCorrupted:
    return FileCorrupted(record_id=record_id, plan=LINK, file=file, expected_sha256=SHA, problem="changed")


def repaired(file: str) -> FileRepaired:
    return FileRepaired(record_id="r1", plan=LINK, file=file, expected_sha256=SHA, source="tape")


def fixity(*files: str) -> FixityFailed:
    damaged = [DamagedFile(file=file, problem="missing", expected_sha256=SHA) for file in files]
    return FixityFailed(run_id="run", record_id="r1", plan=LINK, files=damaged, checked_at=T0)


def doi(kind: type[Fact], **more: Any) -> Any:
    return kind(doi="10.5072/x", handle="21.T1/a", plan=LINK, registrar="http://d", **more)


FINDABLE = doi(DoiRegistered, state="findable", observed_at=T0)
REGISTERED = doi(DoiRegistered, state="registered", observed_at=T0)
REFUSED = doi(DoiFailed, reason="no")
HIDDEN = doi(DoiHidden)
ACTIVE = IdentifierUpdated(identifier=identifier(IdentifierState.ACTIVE))


def promise(kind: PromiseKind, **more: Any) -> Promise:
    return Promise("id", "p", Terms("counts", kind, "t", **more), since=T0)


RECORD = promise(PromiseKind.RECORD)
IDENTIFIER = promise(PromiseKind.IDENTIFIER)
STORAGE = promise(PromiseKind.STORAGE, storage_class="DiskAndTape")
THERE = promise(PromiseKind.TEST, test="there", level=TestLevel.EXISTENCE)
COLUMNS = promise(PromiseKind.TEST, test="columns", level=TestLevel.CONTENT)


def after(start: Promise, *facts: Fact, today: date = TODAY) -> Promise:
    """The promise when ``facts`` happened one hour after another."""
    for hour, fact in enumerate(facts, 1):
        start = judge(start, readings_of(fact, f"e{hour:03}", at(hour)), today)
    return start


PUBLISHED = RecordPublished(record=record())
WITHDRAWN = RecordWithdrawn(record=record(), reason="error")
KEPT, BROKEN, PLANNED, DUE = PromiseState.KEPT, PromiseState.BROKEN, PromiseState.PLANNED, PromiseState.DUE


@pytest.mark.parametrize(
    ("start", "facts", "state"),
    [
        (RECORD, [PUBLISHED], KEPT),
        (RECORD, [PUBLISHED, WITHDRAWN], BROKEN),
        (RECORD, [PUBLISHED, WITHDRAWN, RecordPublished(record=record("r2"))], KEPT),
        (RECORD, [PUBLISHED, RecordPublished(record=record("r2")), WITHDRAWN], KEPT),
        (RECORD, [PUBLISHED, corrupted("a")], BROKEN),
        (RECORD, [corrupted("a"), PUBLISHED], BROKEN),
        (RECORD, [PUBLISHED, fixity("a", "b"), repaired("a")], BROKEN),
        (RECORD, [PUBLISHED, fixity("a", "b"), repaired("a"), repaired("b")], KEPT),
        (RECORD, [PUBLISHED, repaired("a"), corrupted("a")], BROKEN),
        (RECORD, [repaired("a")], PLANNED),
        (RECORD, [PUBLISHED, corrupted("a"), WITHDRAWN, RecordPublished(record=record("r2"))], KEPT),
        (IDENTIFIER, [IdentifierMinted(identifier=identifier(IdentifierState.RESERVED))], PLANNED),
        (IDENTIFIER, [ACTIVE], PLANNED),
        (IDENTIFIER, [ACTIVE, REGISTERED], PLANNED),
        (IDENTIFIER, [ACTIVE, FINDABLE], KEPT),
        (IDENTIFIER, [FINDABLE, ACTIVE], KEPT),
        (IDENTIFIER, [ACTIVE, REFUSED], BROKEN),
        (IDENTIFIER, [ACTIVE, REFUSED, FINDABLE], KEPT),
        (IDENTIFIER, [ACTIVE, FINDABLE, HIDDEN], BROKEN),
        (
            IDENTIFIER,
            [
                ACTIVE,
                FINDABLE,
                IdentifierTombstoned(identifier=identifier(IdentifierState.TOMBSTONED), reason="x"),
            ],
            BROKEN,
        ),
        (STORAGE, [TransitionCompleted(transition=transition("DiskAndTape", "DiskAndTape"))], KEPT),
        (STORAGE, [TransitionCompleted(transition=transition("DiskAndTape", "DiskOnly"))], BROKEN),
        (STORAGE, [TransitionCompleted(transition=transition("DiskAndTape", locality=Locality.LOST))], BROKEN),
        (STORAGE, [TransitionCompleted(transition=transition())], PLANNED),
        (STORAGE, [TransitionFailed(transition=transition())], BROKEN),
        (
            STORAGE,
            [
                TransitionFailed(transition=transition(path="/records/r1/a")),
                TransitionCompleted(transition=transition("DiskAndTape")),
            ],
            KEPT,
        ),
        (
            STORAGE,
            [
                TransitionCompleted(transition=transition("DiskAndTape")),
                TransitionCompleted(transition=transition("DiskOnly", path="/records/r1/a")),
                TransitionCompleted(transition=transition("DiskAndTape", path="/records/r1/b")),
            ],
            BROKEN,
        ),
        (THERE, [run(Verdict.PASS)], KEPT),
        (THERE, [run(Verdict.FAIL)], BROKEN),
        (THERE, [run(Verdict.PASS), run(Verdict.ERROR)], KEPT),
        (THERE, [run(Verdict.FAIL), run(Verdict.INDETERMINATE)], BROKEN),
        (THERE, [run(Verdict.NOT_APPLICABLE)], PLANNED),
        (THERE, [run(Verdict.PASS), corrupted("a")], BROKEN),
        (THERE, [run(Verdict.PASS), corrupted("a"), repaired("a")], BROKEN),
        (THERE, [run(Verdict.PASS), corrupted("a"), repaired("a"), run(Verdict.PASS)], KEPT),
        (THERE, [run(Verdict.PASS, test="other")], PLANNED),
        (COLUMNS, [run(Verdict.PASS, "columns", TestLevel.CONTENT), fixity("a")], KEPT),
    ],
)
def test_the_state_evidence_leads_to(start: Promise, facts: list[Fact], state: PromiseState) -> None:
    assert after(start, *facts).state is state


def test_evidence_of_another_plan_or_output_is_not_ours() -> None:
    other = PUBLISHED.record.model_copy(update={"plan": PlanLink(plan_id="p", edition=1, output="moths")})
    assert after(RECORD, RecordPublished(record=other)).state is PLANNED
    unlinked = PUBLISHED.record.model_copy(update={"plan": None})
    assert readings_of(RecordPublished(record=unlinked), "e", T0) == []


def test_damage_names_every_file_that_is_damaged_now() -> None:
    broken = after(RECORD, PUBLISHED, fixity("a", "b"), repaired("a"), corrupted("c"))
    assert broken.evidence is not None
    assert [file["file"] for file in broken.evidence.details["files"]] == ["b", "c"]


def test_the_wrong_class_is_told() -> None:
    broken = after(STORAGE, TransitionCompleted(transition=transition("DiskOnly")))
    assert broken.evidence is not None
    assert broken.evidence.summary == "Promised DiskAndTape, observed DiskOnly"


def test_a_promise_is_due_when_its_day_has_passed() -> None:
    start = promise(PromiseKind.RECORD, due=TODAY)
    assert judge(start, (), TODAY).state is PLANNED
    late = judge(start, (), TODAY + timedelta(days=1))
    assert (late.state, late.revision) == (DUE, 1)
    assert after(late, PUBLISHED, today=TODAY + timedelta(days=1)).state is KEPT


def test_a_verdict_on_another_definition_of_the_test_does_not_count() -> None:
    kept = after(THERE, run(Verdict.PASS))
    same = renewed(kept, kept.terms, at(5), TODAY)
    assert same.state is KEPT
    changed = renewed(kept, replace(kept.terms, digest="new"), at(5), TODAY)
    assert changed.state is PLANNED
    again = judge(changed, readings_of(run(Verdict.PASS), "e9", at(6)), TODAY)
    assert again.state is KEPT


def test_a_storage_promise_is_judged_again_by_what_was_observed() -> None:
    kept = after(STORAGE, TransitionCompleted(transition=transition("DiskAndTape")))
    changed = renewed(kept, replace(kept.terms, storage_class="TapeOnly"), at(5), TODAY)
    assert changed.state is BROKEN


def test_every_fact_the_ledger_listens_to_can_be_read() -> None:
    samples = [
        PUBLISHED, WITHDRAWN, corrupted("a"), repaired("a"),
        IdentifierMinted(identifier=identifier(IdentifierState.ACTIVE)), ACTIVE,
        IdentifierTombstoned(identifier=identifier(IdentifierState.TOMBSTONED), reason="x"),
        FINDABLE, REFUSED, HIDDEN, TransitionCompleted(transition=transition("A")),
        TransitionFailed(transition=transition()), run(Verdict.PASS), fixity("a"),
    ]  # fmt: skip
    assert {type(sample) for sample in samples} == set(EVIDENCE)
    for sample in samples:
        assert readings_of(sample, "e", T0)
    with pytest.raises(TypeError):
        readings_of(Fact(), "e", T0)


FACTS: list[Fact] = [
    PUBLISHED, WITHDRAWN, RecordPublished(record=record("r2")), corrupted("a"), corrupted("b", "r2"), repaired("a"),
    fixity("a", "b"), ACTIVE, IdentifierMinted(identifier=identifier(IdentifierState.RESERVED)), FINDABLE, REFUSED,
    REGISTERED, HIDDEN, TransitionCompleted(transition=transition("DiskAndTape")),
    TransitionCompleted(transition=transition("DiskOnly", path="/records/r1/a")),
    TransitionFailed(transition=transition()), *(run(verdict) for verdict in Verdict),
]  # fmt: skip
PROMISES = [RECORD, IDENTIFIER, STORAGE, THERE, COLUMNS]


@given(st.data())
def test_order_and_repetition_do_not_matter(data: st.DataObject) -> None:
    hours = st.integers(0, 3)  # few, so that many events share an instant and the event id decides
    said = data.draw(st.lists(st.tuples(st.sampled_from(FACTS), hours), max_size=8))
    events = [
        readings_of(
            fact.model_copy(update={"run": fact.run.model_copy(update={"finished_at": at(hour)})})
            if isinstance(fact, RunFinished)
            else fact,
            f"e{number}",
            at(hour),
        )
        for number, (fact, hour) in enumerate(said)
    ]
    repeated = data.draw(st.lists(st.sampled_from(events), max_size=4)) if events else []
    shuffled = data.draw(st.permutations([*events, *repeated]))
    for start in PROMISES:
        expected = judge(start, [reading for event in events for reading in event], TODAY)
        found = start
        for event in shuffled:
            found = judge(found, event, TODAY)
        assert (found.state, found.evidence, found.newest) == (expected.state, expected.evidence, expected.newest)
