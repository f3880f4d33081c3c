"""What is asked for one by one and done together: what comes while a round runs waits for the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

from indigo_qos_gateway.domain.errors import Busy

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Rounds(Generic[K, V]):
    """``carry`` gets what was asked for within ``seconds``, at most ``most`` at a time.

    What it gives, and what it raises, is for everyone in the round.
    """

    def __init__(
        self, carry: Callable[[Sequence[K]], Awaitable[V]], seconds: float, *, most: int = 10_000
    ) -> None:
        self._carry = carry
        self.seconds = seconds
        self._most = most
        self._waiting: dict[K, asyncio.Future[V]] = {}
        self._running: set[K] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> AbstractSet[K]:
        """What is in the round that runs now."""
        return self._running

    async def join(self, key: K) -> V:
        """Wait until a round has carried it. Raises ``Busy`` when somebody else waits for the same.

        Who is cancelled before it began takes it back; a round that runs has others in it, and goes on.
        """
        if key in self._waiting:
            raise Busy(str(key))
        waiting = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._rounds())
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if self._waiting.get(key) is waiting:
                del self._waiting[key]
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
            batch = {key: self._waiting.pop(key) for key in list(self._waiting)[: self._most]}
            if not batch:
                return
            self._running = set(batch)
            try:
                given = await self._carry(list(batch))
            except Exception as failed:  # noqa: BLE001 - told to all who wait for the round
                for waiting in batch.values():
                    waiting.set_exception(failed)
                    waiting.exception()  # whoever waited may have been cancelled
            else:
                for waiting in batch.values():
                    waiting.set_result(given)
            finally:
                self._running = set()
