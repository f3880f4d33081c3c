"""Pure decisions: what a transition may become, when a placement is due, which addresses are the repository's."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from indigo_contracts.dmp import StoragePromise
from indigo_contracts.qos import TransitionState
from indigo_contracts.repository import PlanLink
from indigo_kernel.problems import Conflict
from indigo_qos_gateway.domain.placement import PlanPromises, is_below, is_due
from indigo_qos_gateway.domain.storage import ObjectType
from indigo_qos_gateway.domain.transition import Transition

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TAPE = StoragePromise(storage_class="TapeOnly")
LINK = PlanLink(plan_id="p", edition=1, output="data")


def transition(**changes):
    made = Transition(
        id="t", path="/records/r", object_type=ObjectType.CONTAINER, backend="posix", target_class="TapeOnly",
        requested_at=NOW, record_id="r", plan=LINK,
    )  # fmt: skip
    return replace(made, **changes)


def test_the_way_to_the_end_is_counted():
    started = transition().start(NOW, "DiskOnly")
    assert (started.state, started.version, started.source_class) == (TransitionState.STARTED, 2, "DiskOnly")
    assert started.start(NOW, "TapeOnly") == started
    done = started.complete(NOW, [], {})
    assert (done.state, done.version, done.active) == (TransitionState.COMPLETED, 3, False)
    assert done.snapshot().path == "/records/r/"


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
def test_the_end_is_the_end(end):
    over = {
        "complete": lambda t: t.complete(NOW, [], {}),
        "fail": lambda t: t.fail(NOW, "why"),
        "cancel": lambda t: t.cancel(NOW),
    }[end](transition())
    for again in (lambda: over.fail(NOW, "x"), lambda: over.cancel(NOW), over.ask_to_cancel):
        with pytest.raises(Conflict):
            again()


@pytest.mark.parametrize(
    ("last", "edition", "due"),
    [
        (None, 1, True),
        (transition(), 2, False),
        (transition(state=TransitionState.COMPLETED), 2, False),
        (transition(state=TransitionState.COMPLETED, target_class="DiskOnly"), 2, True),
        (transition(state=TransitionState.FAILED), 1, False),
        (transition(state=TransitionState.FAILED), 2, True),
        (transition(state=TransitionState.CANCELLED), 1, False),
    ],
)
def test_when_a_placement_is_due(last, edition, due):
    assert is_due(TAPE, edition, last) is due


def test_older_editions_do_not_count():
    first, second = PlanPromises("p", 1, 3, {}), PlanPromises("p", 2, 5, {})
    assert second.newer_than(first)
    assert first.newer_than(None)
    assert not first.newer_than(second)
    assert not first.newer_than(first)


@pytest.mark.parametrize(
    "url",
    [
        "http://repository.example.org/base/api/x",
        "https://repository.example.org/basement/x",
        "https://repository.example.org:444/base/x",
        "https://repository.example.org.evil.example/base/x",
        "https://user@repository.example.org/base/x",
        "https://repository.example.org/base/../x",
        "https://repository.example.org/base/%2e%2e/x",
        "https://repository.example.org/base\\x",
        "https://[bad/base/x",
        "/base/x",
        "",
    ],
)
def test_addresses_elsewhere(url):
    assert not is_below(url, "https://repository.example.org/base")


def test_addresses_of_the_repository():
    assert is_below("https://repository.example.org/base/api/x?y=1", "https://repository.example.org/base/")
