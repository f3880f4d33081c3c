from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_contracts.envelope import Envelope
from indigo_kernel.bus.ports import Subscription
from indigo_kernel.bus.topology import compile_pattern, definitions, delay_label, subscription_topology


async def handler(_: Envelope) -> None: ...


def matches(pattern: list[str], words: list[str]) -> bool:
    """The AMQP rule, word by word."""
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(matches(pattern[1:], words[n:]) for n in range(len(words) + 1))
    return bool(words) and pattern[0] in {"*", words[0]} and matches(pattern[1:], words[1:])


@given(
    st.lists(st.sampled_from(["a", "b", "*", "#"]), min_size=1, max_size=5),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=5),
)
def test_patterns_follow_the_standard(pattern: list[str], words: list[str]) -> None:
    compiled = compile_pattern(".".join(pattern))
    assert bool(compiled.fullmatch(".".join(words))) == matches(pattern, words)


@pytest.mark.parametrize(
    ("delay", "label"),
    [
        (timedelta(seconds=5), "5s"),
        (timedelta(seconds=60), "60s"),
        (timedelta(minutes=15), "15m"),
        (timedelta(milliseconds=50), "50ms"),
        (timedelta(seconds=121), "121s"),
    ],
)
def test_labels_of_delays(delay: timedelta, label: str) -> None:
    assert delay_label(delay) == label


def test_queues_of_a_subscription() -> None:
    topology = subscription_topology("dmp.plans", ["repository.#"])
    assert [queue.name for queue in topology.queues] == [
        "dmp.plans.dead",
        "dmp.plans.retry-5s",
        "dmp.plans.retry-60s",
        "dmp.plans.retry-15m",
        "dmp.plans",
    ]
    assert [retry.arguments["x-message-ttl"] for retry in topology.retries] == [5_000, 60_000, 900_000]
    assert {retry.arguments["x-dead-letter-routing-key"] for retry in topology.retries} == {"dmp.plans"}
    assert topology.main.arguments["x-dead-letter-routing-key"] == "dmp.plans.dead"
    for queue in topology.queues:
        assert queue.arguments["x-queue-type"] == "quorum"
        assert "x-delivery-limit" in queue.arguments
    for queue in topology.queues[1:]:
        assert queue.arguments["x-dead-letter-strategy"] == "at-least-once"
        assert queue.arguments["x-overflow"] == "reject-publish"


def test_definitions_hold_what_is_declared() -> None:
    subscription = Subscription("dmp", "ledger", ("pid.doi.*.v1", "qos.#"), handler)
    rendered = definitions([subscription], vhost="indigo")
    topology = subscription_topology(subscription.queue, subscription.routing_keys)
    assert {q["name"]: q["arguments"] for q in rendered["queues"]} == {
        queue.name: queue.arguments for queue in topology.queues
    }
    assert [(b["source"], b["destination"], b["routing_key"]) for b in rendered["bindings"]] == [
        ("indigo.events", "dmp.ledger", "pid.doi.*.v1"),
        ("indigo.events", "dmp.ledger", "qos.#"),
    ]
    assert {row["vhost"] for rows in rendered.values() for row in rows} == {"indigo"}
