"""What every bus does with a delivery: lanes per subject, the handler's context, the fate of the message."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog
from indigo_contracts.envelope import Envelope
from prometheus_client import Counter
from pydantic import ValidationError

from indigo_kernel.bus.ports import Handler, PermanentError
from indigo_kernel.bus.wire import parse
from indigo_kernel.context import enter, new_context

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

POISON = "DeliveryLimit"
"""The error type of a dead letter whose every delivery ended with the consumer's death."""

DETAIL_CHARACTERS = 2000
"""An error's text is kept up to here: it travels in a message header."""

DELIVERIES = Counter("indigo_deliveries_total", "Deliveries by queue and what became of them", ["queue", "result"])

Fetch = Callable[[str], Awaitable[dict[str, Any]]]
"""Reads the data behind a ``dataref``. Raises ``TransientError`` or ``PermanentError`` as a handler would."""


class Verdict(StrEnum):
    DONE = "done"
    RETRY = "retry"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Fate:
    """What is to become of a delivered message, and why."""

    verdict: Verdict
    error_type: str = ""
    error_detail: str = ""


DONE = Fate(Verdict.DONE)


def poisoned(deliveries: int) -> Fate:
    """The fate of a message that took its consumer down ``deliveries`` times."""
    return Fate(Verdict.DEAD, POISON, f"the consumer died in each of {deliveries} deliveries")


def judge(error: BaseException, *, attempt: int, retries: int) -> Fate:
    """The fate of a message whose handler raised ``error`` in try ``attempt`` (the first is 0).

    A ``PermanentError`` or a payload its schema refuses cannot improve; all else is tried ``retries`` times more.
    """
    hopeless = isinstance(error, PermanentError | ValidationError) or attempt >= retries
    detail = (str(error) or repr(error))[:DETAIL_CHARACTERS]
    return Fate(Verdict.DEAD if hopeless else Verdict.RETRY, type(error).__name__, detail)


async def deliver(
    body: bytes, handler: Handler, *, queue: str, attempt: int, retries: int, fetch: Fetch | None = None
) -> Fate:
    """Hand one message to ``handler`` inside the event's own work context.

    Raises only ``CancelledError``, and only when this task is being cancelled: then nothing is decided.
    """
    fate = DONE
    event_id = ""
    try:
        envelope = parse(body)
        event_id = envelope.id
        enter(
            new_context(
                envelope.traceparent,
                correlation_id=envelope.correlationid or envelope.id,
                causation_id=envelope.id,
            )
        )
        with structlog.contextvars.bound_contextvars(event_id=event_id, queue=queue):
            await handler(await _with_data(envelope, fetch))
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # Something the handler awaited was cancelled, not the handler's own task.
        fate = judge(error, attempt=attempt, retries=retries)
    except Exception as error:  # noqa: BLE001 - whatever a handler raises decides the message's fate
        fate = judge(error, attempt=attempt, retries=retries)
    DELIVERIES.labels(queue, fate.verdict).inc()
    if fate.verdict is not Verdict.DONE:
        log.warning(
            "delivery.failed",
            queue=queue,
            event_id=event_id,
            attempt=attempt,
            verdict=fate.verdict.value,
            error_type=fate.error_type,
            error=fate.error_detail,
        )
    return fate


async def _with_data(envelope: Envelope, fetch: Fetch | None) -> Envelope:
    if envelope.data is not None or envelope.dataref is None or fetch is None:
        return envelope
    return envelope.model_copy(update={"data": await fetch(envelope.dataref)})


Job = Callable[[], Awaitable[None]]


class Lanes:
    """Runs jobs of one lane strictly one after another, up to ``concurrency`` lanes at a time.

    Jobs must not raise; one that does stops only itself and is logged.
    """

    def __init__(self, concurrency: int) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._waiting: dict[str, deque[Job]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def widen(self, by: int) -> None:
        """Allow ``by`` more lanes at a time."""
        for _ in range(by):
            self._slots.release()

    def submit(self, lane: str, job: Job) -> None:
        waiting = self._waiting.get(lane)
        if waiting is not None:
            waiting.append(job)
            return
        self._waiting[lane] = deque([job])
        # An empty context: what the submitter has bound (request, principal) is not the handler's.
        task = asyncio.create_task(self._run(lane), context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def discard(self) -> None:
        """Forget the jobs that have not begun; running ones go on and still hold their lanes."""
        for waiting in self._waiting.values():
            waiting.clear()

    async def drain(self) -> None:
        """Wait until no job runs or waits."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, lane: str) -> None:
        waiting = self._waiting[lane]
        while waiting:
            async with self._slots:
                if not waiting:  # discarded while waiting for a slot
                    break
                try:
                    await waiting.popleft()()
                except Exception:
                    log.exception("lane.job_failed", lane=lane)
        del self._waiting[lane]
