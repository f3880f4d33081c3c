"""What the suite asks of a message bus, whichever carries the messages.

Delivery contract, the same for every implementation:

- a message is *accepted* when it is safe against a crash; only then does ``publish`` report it so;
- at least once to every subscription whose pattern matches its routing key, in publishing order
  per subject while no delivery fails;
- a handler that raises gets the message again after each delay of ``RETRY_DELAYS``; after the last,
  or at once for ``PermanentError``, the message rests in the subscription's dead-letter queue;
- a message no subscription wants is reported ``unroutable``, not lost in silence.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from indigo_contracts.envelope import Envelope

RETRY_DELAYS: tuple[timedelta, ...] = (
    timedelta(seconds=5),
    timedelta(seconds=60),
    timedelta(minutes=15),
)


class TransientError(Exception):
    """Try again later: what failed may work the next time."""


class PermanentError(Exception):
    """Trying again cannot help: the message goes to the dead letters at once."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event ready for the wire: ``body`` is the structured CloudEvent."""

    id: str
    routing_key: str
    subject: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    UNROUTABLE = "unroutable"
    UNKNOWN = "unknown"
    """No answer in time: the message may or may not be there; publishing it again is right."""


Handler = Callable[[Envelope], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A durable queue ``<consumer>.<name>`` with the routing keys it wants (exact, or AMQP topic patterns)."""

    consumer: str
    name: str
    routing_keys: tuple[str, ...]
    handler: Handler
    concurrency: int = 16

    @property
    def queue(self) -> str:
        return f"{self.consumer}.{self.name}"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up, with the reason."""

    queue: str
    message: Message
    error_type: str
    error_detail: str
    attempts: int


DeadLetterSink = Callable[[DeadLetter], Awaitable[None]]
"""Takes a dead letter into durable keeping; the bus removes it from ``<queue>.dead`` when it returns."""


class Bus(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Stop taking deliveries, let running handlers finish, close."""
        ...

    async def publish(self, batch: Sequence[Message]) -> list[Outcome]:
        """Publish in order; one outcome per message. Never raises for a single message."""
        ...

    async def subscribe(self, subscriptions: Sequence[Subscription], dead: DeadLetterSink | None = None) -> None:
        """Declare the queues and start consuming."""
        ...

    async def replay(self, queue: str, message: Message) -> None:
        """Give a message to one queue only, as if it were new there. Raises ``TransientError`` if not accepted."""
        ...

    def healthy(self) -> bool:
        """Whether deliveries can flow now."""
        ...
