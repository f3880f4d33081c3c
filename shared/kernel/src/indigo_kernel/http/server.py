"""uvicorn as the suite runs it: no access log of its own, no signal handlers, stopped by the caller."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import gc
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import TypeVar

import uvicorn
import uvloop
from starlette.types import ASGIApp

GRACE_SECONDS = 20
"""How long running requests may take to end when the process stops."""

KEEP_ALIVE_SECONDS = 75
"""How long a connection without requests stays open: longer than clients and proxies keep theirs (httpx 5 s, the
suite's own 15 s, nginx 60 s). Were it closed first, a request sent in that moment would be lost."""


T = TypeVar("T")


def run(main: Coroutine[object, object, T]) -> T:
    """Run a process on uvloop, which uvicorn would choose if it ran the process itself."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


_MADE_BETWEEN_ROUNDS = 10_000
"""Objects that may be made before the garbage collector looks for cycles; some requests make thousands."""


def started() -> None:
    """Have the garbage collector look less often, and not at what exists now: it lives as long as the process.

    Each of the larger rounds would look at everything, and stop every request for a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_MADE_BETWEEN_ROUNDS)
    atexit.register(gc.unfreeze)  # else libraries in C complain that what they made is still there


class _Server(uvicorn.Server):
    """Several servers may share one process, so none of them may own its signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that a port that is taken is known before anything else starts. Raises ``OSError``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle off only for sockets that say TCP; else small answers wait 40 ms for an acknowledgment.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, bound: socket.socket) -> AsyncIterator[None]:
    """Serve ``app`` on ``bound`` for the length of the block; running requests end within ``GRACE_SECONDS``."""
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        while not server.started:
            if task.done():
                task.result()
                raise RuntimeError("the server ended before it answered")
            await asyncio.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        await task
