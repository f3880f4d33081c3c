"""Threads of one back-end's own, for a mounted file system that may stop answering."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

import structlog
from anyio import CancelScope
from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.adapters.doubt import Doubt

log = structlog.get_logger()

P = ParamSpec("P")
R = TypeVar("R")


async def to_its_end(work: Awaitable[R]) -> R:
    """The result of ``work``; when cancelled, however often, after it ended: its caller closes what it uses.

    A request whose client has gone is cancelled again and again until it has ended.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with CancelScope(shield=True):
            while not task.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            log.info("thread.failed_for_nobody", error=repr(error))
        raise


async def settled(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run ``work`` in a thread of everybody's to its end, even when cancelled: its caller closes what it uses."""
    return await to_its_end(asyncio.to_thread(work, *args, **kwargs))


class Threads:
    """A few threads for the back-end ``name``: a file system that hangs takes these and nobody else's.

    ``seconds`` is how long a look may take. A thread that hangs in the kernel cannot be ended: it is left there.
    """

    def __init__(self, name: str, *, most: int = 8, seconds: float = 60.0) -> None:
        self.name = name
        self._most = most
        self._pool: ThreadPoolExecutor | None = None
        self._seconds = seconds
        self._doubt = Doubt(name)

    async def look(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of ``work``, which changes nothing. Raises ``Unavailable`` when it takes too long."""
        try:
            with self._doubt.asking():
                async with asyncio.timeout(self._seconds):
                    return await self.run(work, *args, **kwargs)
        except TimeoutError:
            raise Unavailable(f"{self.name}: the file system does not answer") from None

    async def change(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run ``work`` to its end, even when cancelled: what it changes has to be known."""
        return await to_its_end(self.run(work, *args, **kwargs))

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of ``work``, which may take long; when cancelled, it is left to end by itself."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._most, thread_name_prefix=self.name)
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *args, **kwargs))

    def close(self) -> None:
        """Let the threads go; one that hangs is not waited for. New ones are made when there is work again."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
