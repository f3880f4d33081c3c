"""One broker connection that is rebuilt from nothing after any failure.

No state survives a failure on purpose: whatever a session had opened is opened anew, so the first start and
the thousandth recovery run the same code.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection
from yarl import URL

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# The client library would log each failed attempt as an error; an outage is said once, below.
logging.getLogger("aiormq.connection").setLevel(logging.CRITICAL)

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 2.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds between attempts, doubled each time, with jitter so that a restarted broker is not stormed."""

Session = Callable[[AbstractConnection, Callable[[], None]], Awaitable[None]]
"""Works on one connection: calls its second argument when all is set up; raises when the connection is of no
more use, returns when it wants a new one for another reason."""


class LinkLost(Exception):
    """The connection or something on it does not work any more."""


class Link:
    """Keeps ``session`` running on a live connection until the task of ``run`` is cancelled."""

    def __init__(self, url: str, session: Session, *, name: str, heartbeat: int) -> None:
        parsed = URL(url)
        self._url = parsed if "heartbeat" in parsed.query else parsed.update_query(heartbeat=str(heartbeat))
        self._session = session
        self._name = name
        self._failures = 0

    async def run(self) -> None:
        while True:
            try:
                await self._once()
            except Exception as error:  # noqa: BLE001 - any failure has the same answer: start again
                self._failures += 1
                if self._failures == 1:
                    log.warning("amqp.down", link=self._name, error_type=type(error).__name__, error=str(error))
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        longest = min(FIRST_PAUSE * 2.0 ** min(self._failures, 10), LONGEST_PAUSE)
        return random.uniform(longest / 2, longest)  # noqa: S311 - jitter

    def _up(self) -> None:
        if self._failures:
            log.info("amqp.up", link=self._name, failures=self._failures)
        self._failures = 0

    async def _once(self) -> None:
        connection = await aio_pika.connect(
            self._url, timeout=CONNECT_SECONDS, client_properties={"connection_name": self._name}
        )
        lost = asyncio.Event()
        connection.close_callbacks.add(lambda *_: lost.set())
        tasks = {asyncio.ensure_future(self._session(connection, self._up)), asyncio.ensure_future(lost.wait())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if lost.is_set():
                raise LinkLost("the connection was closed")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # A broker that does not answer must not hold up the next attempt.
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await connection.close()
