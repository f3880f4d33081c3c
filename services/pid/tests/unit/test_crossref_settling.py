"""What a report makes of each deposit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from indigo_pid.adapters.crossref.depositor import lane_of, settled
from indigo_pid.adapters.db.deposits import Batch, Deposit, Outcome
from indigo_pid.crossref.reports import RecordReport, Verdict

DEPOSIT = Deposit("10.5555/a", 3, "10.5555 database", "<dataset/>", 100, batch_id="b", timestamp=7)
BATCH = Batch("b", "10.5555 database", 7, datetime(2026, 1, 1, tzinfo=UTC), sends=1)
OLDER = "submitted version: 7 is less or equal to previously submitted version (DOI match)"


def told(verdict: Verdict, message: str = "", doi: str = "10.5555/a") -> RecordReport:
    return RecordReport(doi, verdict, message)


@pytest.mark.parametrize(
    ("report", "outcome", "message"),
    [
        (told(Verdict.SUCCESS, "Successfully added"), Outcome.REGISTERED, None),
        (told(Verdict.WARNING, "Added with conflict"), Outcome.REGISTERED, "Added with conflict"),
        (told(Verdict.FAILURE, "User not allowed"), Outcome.REFUSED, "User not allowed"),
        (told(Verdict.FAILURE), Outcome.REFUSED, "no reason was given"),
        (told(Verdict.FAILURE, OLDER), Outcome.REFUSED, OLDER),
        (None, Outcome.REFUSED, "Crossref's report on b does not mention it"),
    ],
)
def test_an_outcome_ends_it(report, outcome, message):
    became = settled(DEPOSIT, report, BATCH, 5)
    assert (became.outcome, became.message, became.batch_id) == (outcome, message, "b")


def test_what_was_sent_twice_may_be_refused_because_of_itself():
    became = settled(DEPOSIT, told(Verdict.FAILURE, OLDER), replace(BATCH, sends=2), 5)
    assert (became.outcome, became.batch_id, became.record) == (None, None, "<dataset/>")


@pytest.mark.parametrize(("members", "most"), [(100, 50), (3, 1), (2, 1)])
def test_a_document_that_is_refused_is_taken_apart(members, most):
    became = settled(DEPOSIT, told(Verdict.FAILURE, "Malformed", ""), BATCH, members)
    assert (became.outcome, became.batch_id, became.most) == (None, None, most)


def test_the_last_one_left_is_to_blame():
    became = settled(DEPOSIT, told(Verdict.FAILURE, "Malformed", ""), BATCH, 1)
    assert (became.outcome, became.message) == (Outcome.REFUSED, "Malformed")


def test_neither_prefixes_nor_types_are_mixed():
    assert lane_of("10.5555/a", "database") != lane_of("10.5556/a", "database")
    assert lane_of("10.5555/a", "database") != lane_of("10.5555/a", "report-paper")
