"""Service to service: a client that carries the trace, knows when to try again, and measures each try."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter

import httpx

from indigo_kernel.context import current
from indigo_kernel.telemetry import HTTP_CLIENT_SECONDS, method_label

Sleep = Callable[[float], Awaitable[None]]

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
_WORTH_ANOTHER_TRY = frozenset({429, 502, 503, 504})
_LONGEST_RETRY_AFTER = 30.0


@dataclass(frozen=True, slots=True)
class Retries:
    """``tries`` in all; before try n a pause of 0 to min(``longest``, ``first`` · 2ⁿ) seconds (full jitter)."""

    tries: int = 3
    first: float = 0.1
    longest: float = 5.0

    def pause(self, failed: int) -> float:
        """Seconds to wait after the ``failed``-th failure, counted from 0."""
        return random.uniform(0.0, min(self.longest, self.first * 2**failed))  # noqa: S311 - jitter, no secret


class RetryingTransport(httpx.AsyncBaseTransport):
    """Tries again what may be tried again.

    A connection that was never made is tried again for every method. An answer that is lost, or says to come
    back, only for idempotent methods and POSTs with ``Idempotency-Key``; not with ``If-Match``, because a try
    that arrived makes the next one fail with 412.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, retries: Retries, sleep: Sleep = asyncio.sleep) -> None:
        self._inner = inner
        self._retries = retries
        self._sleep = sleep

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        repeatable = isinstance(request.stream, httpx.ByteStream)
        safe = repeatable and (
            (request.method in _IDEMPOTENT and "if-match" not in request.headers)
            or "idempotency-key" in request.headers
        )
        context = current()
        for failed in range(self._retries.tries):
            last = failed == self._retries.tries - 1
            # Each try is a span of its own under the current one.
            request.headers["traceparent"] = context.child().traceparent
            if context.correlation_id:
                request.headers["x-request-id"] = context.correlation_id
            try:
                response = await self._measured(request)
            except httpx.TransportError as error:
                never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
                if last or not (safe or (never_sent and repeatable)):
                    raise
                pause = self._retries.pause(failed)
            else:
                if last or not safe or response.status_code not in _WORTH_ANOTHER_TRY:
                    return response
                pause = self._pause_asked(response, failed)
                await response.aclose()
            await self._sleep(pause)
        raise AssertionError("the last try returns or raises")

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _measured(self, request: httpx.Request) -> httpx.Response:
        started = perf_counter()
        status = error_type = ""
        try:
            response = await self._inner.handle_async_request(request)
            status = str(response.status_code)
            error_type = status if response.status_code >= 500 else ""
        except Exception as error:
            error_type = type(error).__qualname__
            raise
        else:
            return response
        finally:
            HTTP_CLIENT_SECONDS.labels(method_label(request.method), request.url.host, status, error_type).observe(
                perf_counter() - started
            )

    def _pause_asked(self, response: httpx.Response, failed: int) -> float:
        asked = response.headers.get("retry-after", "")
        seconds = float(asked) if asked.isdecimal() else 0.0
        return min(seconds, _LONGEST_RETRY_AFTER) + self._retries.pause(failed)


def internal_client(
    base_url: str,
    *,
    auth: httpx.Auth | None = None,
    connect_seconds: float = 2.0,
    read_seconds: float = 10.0,
    retries: Retries | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    sleep: Sleep = asyncio.sleep,
) -> httpx.AsyncClient:
    """A client for another service of the suite at ``base_url``; close it with the process.

    ``transport`` replaces the network, for services in the same process (``httpx.ASGITransport``).
    """
    inner = transport or httpx.AsyncHTTPTransport(
        limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=15.0)
    )
    return httpx.AsyncClient(
        base_url=base_url,
        auth=auth,
        timeout=httpx.Timeout(read_seconds, connect=connect_seconds),
        transport=RetryingTransport(inner, retries or Retries(), sleep),
        trust_env=False,
    )
