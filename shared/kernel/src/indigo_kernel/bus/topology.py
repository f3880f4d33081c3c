"""Exchange, queues and bindings as plain data, for declarations and for operators.

One topic exchange; per subscription a quorum queue, one waiting queue per retry delay (one queue with
mixed times would let a long wait block a short one) and one queue for dead letters. Arguments of a queue
cannot be changed later (the broker answers 406), so everything that differs between RabbitMQ 3.10 and 4.3
is stated explicitly instead of left to the version's default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from indigo_kernel.bus.ports import RETRY_DELAYS, Subscription

EXCHANGE = "indigo.events"

DELIVERY_LIMIT = 20
"""Deliveries that end with a dead consumer before a message counts as poison (RabbitMQ 4's own default)."""

UNLIMITED_DELIVERIES = 1_000_000
"""For queues whose messages must never be dropped for being returned often: RabbitMQ 4 would drop after 20,
3.10 refuses -1."""


@dataclass(frozen=True, slots=True)
class Queue:
    name: str
    arguments: dict[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubscriptionTopology:
    """Everything the broker keeps for one subscription. ``retries`` are in the order of the delays."""

    main: Queue
    retries: tuple[Queue, ...]
    dead: Queue
    routing_keys: tuple[str, ...]

    @property
    def queues(self) -> tuple[Queue, ...]:
        return (self.dead, *self.retries, self.main)


def delay_label(delay: timedelta) -> str:
    """``5s``, ``60s``, ``15m``: short and exact, because it is part of a queue's name."""
    milliseconds = delay // timedelta(milliseconds=1)
    if milliseconds % 1000:
        return f"{milliseconds}ms"
    seconds = milliseconds // 1000
    return f"{seconds // 60}m" if seconds >= 120 and seconds % 60 == 0 else f"{seconds}s"


def dead_queue(queue: str) -> str:
    return f"{queue}.dead"


def retry_queue(queue: str, delay: timedelta) -> str:
    return f"{queue}.retry-{delay_label(delay)}"


def _dead_lettering(target: str) -> dict[str, str | int]:
    """Dead-letter to one queue without losing anything on the way (needs the reject-publish overflow)."""
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": target,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def subscription_topology(
    queue: str,
    routing_keys: Sequence[str],
    *,
    retry_delays: Sequence[timedelta] = RETRY_DELAYS,
    delivery_limit: int = DELIVERY_LIMIT,
) -> SubscriptionTopology:
    dead = dead_queue(queue)
    return SubscriptionTopology(
        main=Queue(queue, _dead_lettering(dead) | {"x-delivery-limit": delivery_limit}),
        retries=tuple(
            Queue(
                retry_queue(queue, delay),
                _dead_lettering(queue)
                | {
                    "x-delivery-limit": UNLIMITED_DELIVERIES,
                    "x-message-ttl": delay // timedelta(milliseconds=1),
                },
            )
            for delay in retry_delays
        ),
        dead=Queue(dead, {"x-queue-type": "quorum", "x-delivery-limit": UNLIMITED_DELIVERIES}),
        routing_keys=tuple(routing_keys),
    )


def definitions(subscriptions: Iterable[Subscription], *, vhost: str = "/") -> dict[str, Any]:
    """RabbitMQ ``definitions.json`` (management import format) for operators who declare queues themselves."""
    topologies = [subscription_topology(s.queue, s.routing_keys) for s in subscriptions]
    return {
        "exchanges": [
            {
                "name": EXCHANGE,
                "vhost": vhost,
                "type": "topic",
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": {},
            }
        ],
        "queues": [
            {
                "name": queue.name,
                "vhost": vhost,
                "durable": True,
                "auto_delete": False,
                "arguments": queue.arguments,
            }
            for topology in topologies
            for queue in topology.queues
        ],
        "bindings": [
            {
                "source": EXCHANGE,
                "vhost": vhost,
                "destination": topology.main.name,
                "destination_type": "queue",
                "routing_key": key,
                "arguments": {},
            }
            for topology in topologies
            for key in topology.routing_keys
        ],
    }


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """An AMQP topic pattern as a regular expression for ``fullmatch``: ``*`` is one word, ``#`` none or more."""
    words = re.sub(r"#(\.#)+", "#", pattern).split(".")
    if words == ["#"]:
        return re.compile(r".*", re.DOTALL)
    regex = ""
    for index, word in enumerate(words):
        if word == "#":
            # The dot belongs to the words "#" stands for, so that "a.#" also matches "a".
            regex += r"(?:[^.]*\.)*" if index == 0 else r"(?:\.[^.]*)*"
            continue
        if index and not (index == 1 and words[0] == "#"):
            regex += r"\."
        regex += "[^.]*" if word == "*" else re.escape(word)
    return re.compile(regex)
