"""Questions that come while another one is being answered are asked together when that is over.

A busy process then pays a hop into a thread, or a round trip to the database, once for all of them; an idle one
waits for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_PATIENCE = 0.02
"""Seconds a question waits for the one before it, which may hang."""

_TOGETHER = 64

_UNDER_WAY = 8
"""Questions that may hang before others have to wait for them."""


class Coalesced(Generic[K, V]):
    """Asks ``ask`` about the keys that came in the meantime. It answers each in order, with a value or an error.

    Nobody gets an answer to a question that was asked before they came. Two who ask for the same get an error
    each: errors are completed on their way out.
    """

    def __init__(self, ask: Callable[[Sequence[K]], Awaitable[Sequence[V | Exception]]]) -> None:
        self._ask = ask
        self._waiting: list[tuple[K, asyncio.Future[V]]] = []
        self._asking: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def get(self, key: K) -> V:
        """The answer for ``key``; raises what it is answered with when that is an error."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[V] = loop.create_future()
        self._waiting.append((key, future))
        if not self._asking:
            if len(self._waiting) == 1:
                loop.call_soon(self._gather, 0)
        else:
            self._wait()
        return await future

    def _gather(self, there: int) -> None:
        """Begin when nobody joined since the last look: whoever is ready to ask does so between two.

        After an answer these are those who got it, and ask for more: else they would always take turns with those
        who came meanwhile, half as many at a time.
        """
        if there < len(self._waiting) < _TOGETHER:
            asyncio.get_running_loop().call_soon(self._gather, len(self._waiting))
        else:
            self._begin()

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        these, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
        if these:
            task = asyncio.create_task(self._answer(these))
            self._asking.add(task)
            task.add_done_callback(self._over)
        if self._waiting:
            self._wait()

    def _over(self, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._gather, 0)

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self._overtake)

    def _overtake(self) -> None:
        self._timer = None
        if len(self._asking) < _UNDER_WAY:
            self._begin()

    async def _answer(self, these: Sequence[tuple[K, asyncio.Future[V]]]) -> None:
        try:
            answers = await self._ask([key for key, _ in these])
        except BaseException as error:
            for _, future in these:
                if not future.done():
                    if isinstance(error, Exception):
                        future.set_exception(error)
                    else:
                        future.cancel()
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), answer in zip(these, answers, strict=True):
            if not future.done():
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
