"""Files that are asked for one by one and moved together: what comes while a round runs waits for the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

Carry = Callable[[Sequence[Path]], Awaitable[None]]
"""Moves these files."""


class Rounds:
    """``carry`` gets the files that were asked for within ``seconds``, at most ``most`` at a time.

    There is one caller at a time for each file.
    """

    def __init__(self, carry: Carry, seconds: float, *, most: int = 10_000) -> None:
        self._carry = carry
        self.seconds = seconds
        self._most = most
        self._waiting: dict[Path, asyncio.Future[None]] = {}
        self._running: set[Path] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> AbstractSet[Path]:
        """The files of the round that runs now."""
        return self._running

    async def join(self, path: Path) -> None:
        """Wait until a round has carried the file. Raises what went wrong with the round.

        Who is cancelled before it began takes the file back; a round that runs has others in it, and goes on.
        """
        waiting = self._waiting[path] = asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._rounds())
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if self._waiting.get(path) is waiting:
                del self._waiting[path]
            raise

    async def close(self) -> None:
        """Stop the round that runs, and begin none."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _rounds(self) -> None:
        while self._waiting:
            await asyncio.sleep(self.seconds)
            batch = {path: self._waiting.pop(path) for path in list(self._waiting)[: self._most]}
            if not batch:
                return
            self._running = set(batch)
            error: Exception | None = None
            try:
                await self._carry(list(batch))
            except Exception as failed:  # noqa: BLE001 - told to all who wait for the round
                error = failed
            finally:
                self._running = set()
            for waiting in batch.values():
                if error is None:
                    waiting.set_result(None)
                else:
                    waiting.set_exception(error)
                    waiting.exception()  # whoever waited may have been cancelled
