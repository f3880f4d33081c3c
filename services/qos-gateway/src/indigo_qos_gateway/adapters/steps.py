"""Steps that a process carries out by itself, for storage that does not remember what it was asked to do.

A step that its process did not survive is unknown afterwards; the storage tells how far it came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from indigo_kernel.ids import new_id

from indigo_qos_gateway.domain.errors import Busy, ObjectNotFound, StorageDamage
from indigo_qos_gateway.domain.storage import Progress, StepState

Run = Callable[[], Coroutine[Any, Any, None]]
"""The work of a step; it is cancelled when it is to stop."""


@dataclass(frozen=True, slots=True)
class _Step:
    path: str
    target: str
    task: asyncio.Task[None]


class Steps:
    """The running steps of one back-end in this process, ``concurrency`` of them at the same time."""

    def __init__(self, concurrency: int) -> None:
        self._steps: dict[str, _Step] = {}
        self._at: dict[str, str] = {}
        self._slots = asyncio.Semaphore(concurrency)

    def start(self, path: str, target: str, run: Run) -> str:
        """Begin a step, or name the one that does the same already. Raises ``Busy``."""
        there = self._at.get(path)
        if there is not None:
            step = self._steps[there]
            if step.target == target:
                return there
            if not step.task.done():
                raise Busy(path)
            self._forget(there)  # over, and nobody came to ask how it ended
        handle = self._at[path] = new_id()
        self._steps[handle] = _Step(path, target, asyncio.create_task(self._run(run)))
        return handle

    async def poll(self, handle: str, patience: float) -> Progress:
        """How far it is. What is no answer of the storage about the object is raised."""
        step = self._steps.get(handle)
        if step is None:
            return Progress(StepState.UNKNOWN)
        done, _ = await asyncio.wait([step.task], timeout=patience)
        if not done:
            return Progress(StepState.RUNNING)
        self._forget(handle)
        if step.task.cancelled():
            return Progress(StepState.UNKNOWN)
        error = step.task.exception()
        if error is None:
            return Progress(StepState.DONE)
        if isinstance(error, Busy):
            return Progress(StepState.UNKNOWN)
        if not isinstance(error, OSError | StorageDamage | ObjectNotFound):
            raise error
        return Progress(StepState.FAILED, str(error))

    async def cancel(self, handle: str) -> None:
        """Stop a step and wait for its end; nothing happens when it is over."""
        step = self._steps.get(handle)
        if step is not None:
            step.task.cancel()
            await asyncio.gather(step.task, return_exceptions=True)
            self._forget(handle)

    async def close(self) -> None:
        """Stop every step."""
        for step in self._steps.values():
            step.task.cancel()
        await asyncio.gather(*(step.task for step in self._steps.values()), return_exceptions=True)
        self._steps.clear()
        self._at.clear()

    def _forget(self, handle: str) -> None:
        step = self._steps.pop(handle, None)
        if step is not None and self._at.get(step.path) == handle:
            del self._at[step.path]

    async def _run(self, run: Run) -> None:
        async with self._slots:
            await run()
