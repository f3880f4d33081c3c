"""A bus inside one process, with the delivery contract of the real one.

With a journal file every accepted message survives the death of the process: a new bus on the same file
knows the queues declared before and delivers again what was not acknowledged. Without one, messages live
as long as the bus.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from indigo_kernel.bus.consume import Fate, Fetch, Lanes, Verdict, deliver, poisoned
from indigo_kernel.bus.journal import Journal, Record
from indigo_kernel.bus.ports import (
    RETRY_DELAYS,
    DeadLetter,
    DeadLetterSink,
    Message,
    Outcome,
    Subscription,
    TransientError,
)
from indigo_kernel.bus.topology import DELIVERY_LIMIT, compile_pattern
from indigo_kernel.clock import Clock, SystemClock

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SINK_PAUSE = timedelta(seconds=5)
"""A dead-letter sink that failed is asked again after this."""

_LOOK_AT_CLOCK = 1.0
"""Seconds after which the clock is read again although nothing should be due: clocks can be set."""


@dataclass(slots=True, eq=False)
class _Entry:
    """One queue's copy of a message. ``deliveries`` counts those begun in this attempt and never ended."""

    number: int
    message: Message
    attempt: int = 0
    deliveries: int = 0
    due: datetime | None = None
    death: Fate | None = None


@dataclass(slots=True, eq=False)
class _Queue:
    name: str
    patterns: dict[str, re.Pattern[str]] = field(default_factory=dict)
    entries: dict[int, _Entry] = field(default_factory=dict)
    consumers: list[Subscription] = field(default_factory=list)
    turn: Iterator[Subscription] = field(default_factory=lambda: iter(()))
    sink: DeadLetterSink | None = None
    lanes: Lanes = field(default_factory=lambda: Lanes(0))

    def wants(self, routing_key: str) -> bool:
        return any(pattern.fullmatch(routing_key) for pattern in self.patterns.values())

    def join(self, subscription: Subscription, sink: DeadLetterSink | None) -> None:
        if not self.consumers:
            self.patterns = {}  # those of an earlier process may be out of date
        self.patterns |= {key: compile_pattern(key) for key in subscription.routing_keys}
        self.consumers.append(subscription)
        self.turn = itertools.cycle(self.consumers)
        self.lanes.widen(subscription.concurrency)
        if sink is not None:
            self.sink = sink


class MemoryBus:
    """Implements ``bus.ports.Bus``. Start it once; a stopped bus is not started again."""

    def __init__(
        self,
        journal: Path | None = None,
        *,
        clock: Clock | None = None,
        retry_delays: Sequence[timedelta] = RETRY_DELAYS,
        delivery_limit: int = DELIVERY_LIMIT,
        fetch: Fetch | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._delays = tuple(retry_delays)
        self._delivery_limit = delivery_limit
        self._fetch = fetch
        self._queues: dict[str, _Queue] = {}
        self._routes: dict[str, list[_Queue]] = {}
        self._numbers = itertools.count(1)
        self._waiting: list[tuple[datetime, int, _Queue, _Entry]] = []
        self._tickets = itertools.count()
        self._later = asyncio.Event()
        self._burials = Lanes(4)
        self._running = False
        self._journal = Journal(journal, self._snapshot) if journal is not None else None
        self._tasks: list[asyncio.Task[None]] = []
        self._writer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises ``RuntimeError`` when another process uses the journal."""
        if self._journal is not None:
            self._restore(await asyncio.to_thread(self._journal.open))
            self._writer = asyncio.create_task(self._journal.run())
        self._running = True
        self._tasks.append(asyncio.create_task(self._keep_time()))

    async def stop(self) -> None:
        self._running = False
        for queue in self._queues.values():
            queue.lanes.discard()
        self._burials.discard()
        for queue in self._queues.values():
            await queue.lanes.drain()
        await self._burials.drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._journal is not None and self._writer is not None:
            self._journal.close()
            await self._writer

    def healthy(self) -> bool:
        return self._running and not (self._journal is not None and self._journal.broken)

    async def publish(self, batch: Sequence[Message]) -> list[Outcome]:
        if not self._running:
            return [Outcome.UNKNOWN] * len(batch)
        answers = [self._accept(message, self._route(message.routing_key)) for message in batch]
        return [await answer if isinstance(answer, asyncio.Future) else answer for answer in answers]

    async def subscribe(self, subscriptions: Sequence[Subscription], dead: DeadLetterSink | None = None) -> None:
        for subscription in subscriptions:
            queue = self._queues.setdefault(subscription.queue, _Queue(subscription.queue))
            first = not queue.consumers
            queue.join(subscription, dead)
            self._write({"op": "queue", "queue": queue.name, "patterns": list(queue.patterns)})
            if first:
                for entry in list(queue.entries.values()):
                    self._offer(queue, entry)
        self._routes.clear()

    async def replay(self, queue: str, message: Message) -> None:
        if queue not in self._queues or not self._running:
            raise TransientError(f"there is no queue {queue} to replay into")
        answer = self._accept(message, [self._queues[queue]])
        outcome = await answer if isinstance(answer, asyncio.Future) else answer
        if outcome is not Outcome.ACCEPTED:
            raise TransientError(f"the replay into {queue} was not accepted")

    def release_due(self) -> None:
        """Offer again what is due by the clock. The bus does so by itself in time."""
        now = self._clock.now()
        while self._waiting and self._waiting[0][0] <= now:
            _, _, queue, entry = heapq.heappop(self._waiting)
            entry.due = None
            self._offer(queue, entry)

    # publishing

    def _route(self, routing_key: str) -> list[_Queue]:
        if routing_key not in self._routes:
            self._routes[routing_key] = [q for q in self._queues.values() if q.wants(routing_key)]
        return self._routes[routing_key]

    def _accept(self, message: Message, queues: Sequence[_Queue]) -> Outcome | asyncio.Future[Outcome]:
        if not queues:
            return Outcome.UNROUTABLE
        number = next(self._numbers)
        if self._journal is None:
            self._enqueue(number, message, queues)
            return Outcome.ACCEPTED
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def written(success: bool) -> None:
            if success:
                self._enqueue(number, message, queues)
            if not answer.done():
                answer.set_result(Outcome.ACCEPTED if success else Outcome.UNKNOWN)

        self._journal.append(_message_record(number, message, [q.name for q in queues]), sync=True, done=written)
        return answer

    def _enqueue(self, number: int, message: Message, queues: Sequence[_Queue]) -> None:
        for queue in queues:
            entry = _Entry(number, message)
            queue.entries[number] = entry
            self._offer(queue, entry)

    # delivering

    def _offer(self, queue: _Queue, entry: _Entry) -> None:
        """Give the entry to whoever must act on it next; it stays where it is when there is nobody."""
        if not self._running or not queue.consumers:
            return
        if entry.due is not None:
            heapq.heappush(self._waiting, (entry.due, next(self._tickets), queue, entry))
            self._later.set()
        elif entry.death is None:
            queue.lanes.submit(entry.message.subject, partial(self._handle, queue, entry))
        elif queue.sink is not None:
            self._burials.submit(f"{queue.name}/{entry.message.id}", partial(self._bury, queue, entry))

    async def _handle(self, queue: _Queue, entry: _Entry) -> None:
        if entry.deliveries >= self._delivery_limit:
            self._settle(queue, entry, poisoned(entry.deliveries))
            return
        await self._begin(queue, entry)
        fate = await deliver(
            entry.message.body,
            next(queue.turn).handler,
            queue=queue.name,
            attempt=entry.attempt,
            retries=len(self._delays),
            fetch=self._fetch,
        )
        self._settle(queue, entry, fate)

    async def _begin(self, queue: _Queue, entry: _Entry) -> None:
        """Have the delivery on record before the handler can take the process down."""
        entry.deliveries += 1
        if self._journal is None:
            return
        recorded: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._journal.append(_state_record(queue, entry), done=recorded.set_result)
        await recorded

    def _settle(self, queue: _Queue, entry: _Entry, fate: Fate) -> None:
        if fate.verdict is Verdict.DONE:
            self._forget(queue, entry)
            return
        if fate.verdict is Verdict.RETRY:
            entry.due = self._clock.now() + self._delays[entry.attempt]
            entry.attempt += 1
            entry.deliveries = 0
        else:
            entry.death = fate
        self._write(_state_record(queue, entry))
        self._offer(queue, entry)

    async def _bury(self, queue: _Queue, entry: _Entry) -> None:
        assert queue.sink is not None
        assert entry.death is not None
        letter = DeadLetter(
            queue.name, entry.message, entry.death.error_type, entry.death.error_detail, entry.attempt + 1
        )
        try:
            await queue.sink(letter)
        except Exception:
            log.exception("dead_letter.not_kept", queue=queue.name, event_id=entry.message.id)
            entry.due = self._clock.now() + SINK_PAUSE
            self._offer(queue, entry)
        else:
            self._forget(queue, entry)

    def _forget(self, queue: _Queue, entry: _Entry) -> None:
        queue.entries.pop(entry.number, None)
        self._write({"op": "ack", "n": entry.number, "queue": queue.name})

    async def _keep_time(self) -> None:
        while True:
            self.release_due()
            self._later.clear()
            pause = None
            if self._waiting:
                left = (self._waiting[0][0] - self._clock.now()).total_seconds()
                pause = min(max(left, 0.0), _LOOK_AT_CLOCK)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._later.wait()

    # remembering

    def _write(self, record: Record) -> None:
        if self._journal is not None:
            self._journal.append(record)

    def _snapshot(self) -> list[Record]:
        owed: dict[int, tuple[Message, list[str]]] = {}
        records: list[Record] = []
        states: list[Record] = []
        for queue in self._queues.values():
            records.append({"op": "queue", "queue": queue.name, "patterns": list(queue.patterns)})
            for entry in queue.entries.values():
                owed.setdefault(entry.number, (entry.message, []))[1].append(queue.name)
                if entry.attempt or entry.deliveries or entry.death:
                    states.append(_state_record(queue, entry))
        records += [_message_record(number, message, queues) for number, (message, queues) in sorted(owed.items())]
        return records + states

    def _restore(self, records: Sequence[Record]) -> None:
        last = 0
        for record in records:
            if record["op"] == "queue":
                queue = self._queues.setdefault(record["queue"], _Queue(record["queue"]))
                queue.patterns = {key: compile_pattern(key) for key in record["patterns"]}
            elif record["op"] == "message":
                last = max(last, record["n"])
                message = _message(record)
                for name in record["queues"]:
                    queue = self._queues.setdefault(name, _Queue(name))
                    queue.entries[record["n"]] = _Entry(record["n"], message)
            else:
                self._restore_state(record)
        self._numbers = itertools.count(last + 1)

    def _restore_state(self, record: Record) -> None:
        entries = self._queues[record["queue"]].entries if record["queue"] in self._queues else {}
        entry = entries.get(record["n"])
        if entry is None:
            return  # acknowledged before the last compaction
        if record["op"] == "ack":
            del entries[record["n"]]
        else:
            _apply_state(entry, record)


def _message_record(number: int, message: Message, queues: list[str]) -> Record:
    return {
        "op": "message",
        "n": number,
        "queues": queues,
        "id": message.id,
        "routing_key": message.routing_key,
        "subject": message.subject,
        "headers": dict(message.headers),
        # Bytes that are not UTF-8 become lone surrogates, which JSON escapes and gives back.
        "body": message.body.decode("utf-8", "surrogateescape"),
    }


def _message(record: Record) -> Message:
    return Message(
        id=record["id"],
        routing_key=record["routing_key"],
        subject=record["subject"],
        body=record["body"].encode("utf-8", "surrogateescape"),
        headers=record["headers"],
    )


def _state_record(queue: _Queue, entry: _Entry) -> Record:
    return {
        "op": "state",
        "n": entry.number,
        "queue": queue.name,
        "attempt": entry.attempt,
        "deliveries": entry.deliveries,
        "due": entry.due.isoformat() if entry.due else None,
        "death": [entry.death.error_type, entry.death.error_detail] if entry.death else None,
    }


def _apply_state(entry: _Entry, record: Record) -> None:
    entry.attempt = record["attempt"]
    entry.deliveries = record["deliveries"]
    entry.due = datetime.fromisoformat(record["due"]) if record["due"] else None
    entry.death = Fate(Verdict.DEAD, *record["death"]) if record["death"] else None
