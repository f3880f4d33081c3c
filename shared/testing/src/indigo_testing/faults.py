"""A storage behind HTTP that hangs, fails or talks nonsense for a while, in front of one that works."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import httpx

from indigo_testing.backend_contract import Faults

_Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


class FaultyTransport(httpx.AsyncBaseTransport):
    """Passes requests on to ``inner`` unless something was broken."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self._answer: _Answer = inner.handle_async_request
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await asyncio.sleep(0)  # a network always lets others go on; an application in the same process need not
        return await self._answer(request)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def faults(self) -> Faults:
        """What can be broken."""
        return {
            "hangs": lambda: self._broken(_hang),
            "refuses connections": lambda: self._broken(_refuse),
            "answers 500": lambda: self._broken(_answering(500, b"<html>Internal Server Error</html>")),
            "throttles": lambda: self._broken(_answering(429, b"slow down")),
            "does not know us": lambda: self._broken(_answering(401, b"")),
            "talks nonsense": lambda: self._broken(_answering(200, b"\x00<html>not what you asked for")),
        }

    @contextmanager
    def _broken(self, answer: _Answer) -> Iterator[None]:
        self._answer = answer
        try:
            yield
        finally:
            self._answer = self._inner.handle_async_request


async def _hang(request: httpx.Request) -> httpx.Response:
    message = "no answer within the time the client waits"
    raise httpx.ReadTimeout(message, request=request)


async def _refuse(request: httpx.Request) -> httpx.Response:
    message = "connection refused"
    raise httpx.ConnectError(message, request=request)


def _answering(status: int, body: bytes) -> _Answer:
    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=body, request=request)

    return answer
