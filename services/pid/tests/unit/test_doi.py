from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from indigo_contracts.pid import DoiFailed, DoiHidden, DoiRegistered
from indigo_kernel.problems import Conflict
from indigo_pid.domain.circuit import LONGEST, Circuit, backoff
from indigo_pid.domain.doi import Doi, DoiState, DoiStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def doi(**changes) -> Doi:
    values = {
        "doi": "10.5072/x",
        "handle": "21.T99999/x",
        "record_id": "r1",
        "plan": None,
        "desired": DoiState.FINDABLE,
        "attributes": {"a": 1},
        "revision": 1,
        "version": 1,
    }
    return Doi(**{**values, **changes})


def test_wanting_the_same_again_is_no_revision():
    one = doi()
    assert one.want(DoiState.FINDABLE, {"a": 1}, now=NOW) is one
    assert one.want(DoiState.FINDABLE, {"a": 2}, now=NOW).revision == 2


def test_an_answer_to_an_older_revision_leaves_the_newer_one_pending():
    newer = doi().want(DoiState.FINDABLE, {"a": 2}, now=NOW)
    seen = newer.seen(DoiState.FINDABLE, revision=1, now=NOW)
    assert seen.status is DoiStatus.PENDING
    assert seen.outcome("https://r") is None
    assert seen.seen(DoiState.FINDABLE, revision=2, now=NOW).status is DoiStatus.DONE


def test_outcomes():
    assert isinstance(doi().seen(DoiState.FINDABLE, revision=1, now=NOW).outcome("https://r"), DoiRegistered)
    hidden = doi(desired=DoiState.REGISTERED).seen(DoiState.REGISTERED, revision=1, now=NOW)
    assert isinstance(hidden.outcome("https://r"), DoiHidden)
    failed = doi().refused("bad title")
    outcome = failed.outcome("https://r")
    assert isinstance(outcome, DoiFailed)
    assert outcome.reason == "bad title"
    assert failed.retry(now=NOW).status is DoiStatus.PENDING


def test_there_is_nothing_to_retry_when_all_is_done_or_unpublished():
    for one in (doi(desired=DoiState.DRAFT), doi().seen(DoiState.FINDABLE, revision=1, now=NOW)):
        with pytest.raises(Conflict):
            one.retry(now=NOW)


def test_pauses_grow_to_an_hour_and_no_further():
    assert all(timedelta(seconds=0.5) <= backoff(n) <= LONGEST for n in range(100))
    assert max(backoff(12) for _ in range(50)) > timedelta(minutes=5)


def test_the_circuit_opens_lets_one_probe_through_and_closes():
    circuit = Circuit(threshold=2, first=timedelta(seconds=10), longest=timedelta(seconds=15))
    circuit.failed(NOW)
    assert circuit.wait(NOW) is None
    circuit.failed(NOW)
    for _ in range(5):  # those under way when it opened
        circuit.failed(NOW)
    assert circuit.wait(NOW) == timedelta(seconds=10)
    later = NOW + timedelta(seconds=10)
    assert circuit.wait(later) is None
    assert circuit.wait(later) == timedelta(seconds=10)
    assert circuit.failed(later) == timedelta(seconds=15)
    assert circuit.wait(later) == timedelta(seconds=15)
    assert circuit.succeeded()
    assert circuit.wait(later) is None
    assert not circuit.succeeded()


def test_a_pause_that_was_asked_for_is_no_failure():
    circuit = Circuit(threshold=2)
    assert circuit.failed(NOW) == timedelta(0)
    circuit.asked_to_wait(NOW + timedelta(minutes=1))
    assert circuit.wait(NOW) == timedelta(minutes=1)
    assert not circuit.has_failed
    assert not circuit.succeeded()


def test_what_another_process_heard_counts_when_it_is_news():
    circuit = Circuit(threshold=1, first=timedelta(seconds=10))
    assert not circuit.heard_of(NOW)
    assert circuit.failed(NOW) == timedelta(seconds=10)
    for old in (None, NOW - timedelta(seconds=1), NOW):
        assert not circuit.heard_of(old)
        assert circuit.wait(NOW) is not None
    assert circuit.heard_of(NOW + timedelta(seconds=1))
    assert circuit.wait(NOW) is None
