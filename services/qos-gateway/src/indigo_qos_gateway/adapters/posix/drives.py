"""Steps that are carried out in groups by a few threads, as a tape robot serves many requests by a few drives.

A step that its process did not survive is unknown afterwards; the storage tells how far it came.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from indigo_kernel.ids import new_id

from indigo_qos_gateway.adapters.threads import to_its_end
from indigo_qos_gateway.domain.arrival import Arrived
from indigo_qos_gateway.domain.errors import Busy

TOGETHER = 128
"""Files in one group. All of them are open at the same time."""

_OPEN = 512
"""Files open for all groups of a back-end, two for each file that is copied."""


class Stopped(Exception):
    """Somebody cancelled the step."""


@dataclass(slots=True, eq=False)
class Step:
    """One change of class. ``end`` is written by the thread, ``over`` is resolved in the event loop after that."""

    handle: str
    path: str
    target: str
    over: asyncio.Future[None]
    stopped: bool = False
    end: Arrived | Exception | None = None

    def watch(self) -> None:
        """Raise ``Stopped`` when the step was cancelled."""
        if self.stopped:
            raise Stopped


Report = Callable[[Sequence[Step]], None]
"""Told from the thread which steps are over."""

Bring = Callable[[Sequence[Step], Report], None]
"""Carries out a group in a thread; each step has its ``end`` when it is reported."""


class Drives:
    """The running steps of one back-end in this process, in ``concurrency`` threads."""

    def __init__(self, concurrency: int, bring: Bring) -> None:
        self._concurrency = concurrency
        self._together = max(1, min(TOGETHER, _OPEN // (2 * concurrency)))
        self._bring = bring
        self._steps: dict[str, Step] = {}
        self._at: dict[str, Step] = {}
        self._queue: deque[Step] = deque()
        self._queue_lock = threading.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        # Not those of the event loop: while long files are copied there have to be some for questions.
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="drive")

    def start(self, path: str, target: str) -> Step:
        """Begin a step, or give the one that does the same already. Raises ``Busy``."""
        there = self._at.get(path)
        if there is not None:
            if there.target == target:
                return there
            if not there.over.done():
                raise Busy(path)
            self._forget(there)  # nobody came to ask how it ended
        step = Step(new_id(), path, target, asyncio.get_running_loop().create_future())
        self._steps[step.handle] = self._at[path] = step
        self._queue.append(step)
        self._begin()
        return step

    def with_handle(self, handle: str) -> Step | None:
        return self._steps.get(handle)

    def at(self, path: str) -> Step | None:
        return self._at.get(path)

    async def wait(self, steps: Iterable[Step], patience: float) -> None:
        """Wait until one of the steps is over, at most ``patience`` seconds."""
        running = [each.over for each in steps]
        if patience > 0 and running and not any(each.done() for each in running):
            await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)

    def take(self, step: Step) -> Arrived | Exception | None:
        """How a step ended, told once; ``None`` when it has to be started again. Only when it is over."""
        self._forget(step)
        return None if isinstance(step.end, Stopped | Busy) else step.end

    async def cancel(self, steps: Sequence[Step]) -> None:
        """Stop steps and wait for their ends; nothing happens to those that are over."""
        for step in steps:
            step.stopped = True
        with self._queue_lock:
            waiting = set(steps) & set(self._queue)
            self._queue = deque(step for step in self._queue if step not in waiting)
        for step in waiting:
            step.end = Stopped()
            step.over.set_result(None)
        running = [step.over for step in steps if not step.over.done()]
        if running:
            await asyncio.wait(running)
        for step in steps:
            self._forget(step)

    async def close(self) -> None:
        """Stop every step."""
        await self.cancel(list(self._steps.values()))
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._threads.shutdown(wait=False)

    def _forget(self, step: Step) -> None:
        self._steps.pop(step.handle, None)
        if self._at.get(step.path) is step:
            del self._at[step.path]

    def _begin(self) -> None:
        if len(self._tasks) < self._concurrency:
            self._tasks.add(asyncio.create_task(self._drive()))

    async def _drive(self) -> None:
        loop, drive = asyncio.get_running_loop(), asyncio.current_task()
        assert drive is not None, "it is one"
        try:
            while self._queue:
                await to_its_end(loop.run_in_executor(self._threads, self._work_off, loop, drive))
        finally:
            # Before anybody who was told of an end can begin another step: it would wait for this one for ever.
            self._tasks.discard(drive)

    def _work_off(self, loop: asyncio.AbstractEventLoop, drive: asyncio.Task[None]) -> None:
        """Carry out one group after the other, in a thread: none waits until the event loop has time for it.

        When ``drive`` is cancelled, the group that is at work is the last one.
        """

        def report(steps: Sequence[Step]) -> None:
            loop.call_soon_threadsafe(_resolve, list(steps))

        while not drive.cancelling() and (group := self._next()):
            try:
                self._bring(group, report)
            except Exception as error:  # noqa: BLE001 - told to whoever asks for each of them
                for step in group:
                    step.end = step.end or error
            report(group)

    def _next(self) -> list[Step]:
        """The next group: no larger than leaves every other thread its share."""
        with self._queue_lock:
            share = -(-len(self._queue) // self._concurrency)
            return [self._queue.popleft() for _ in range(min(self._together, share))]


def _resolve(steps: Sequence[Step]) -> None:
    for step in steps:
        if not step.over.done():
            step.over.set_result(None)
