"""The edge of every request: its trace, its log line, its metrics, and the answer to what nobody foresaw."""

from __future__ import annotations

import re
from functools import cache, partial
from time import perf_counter

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from indigo_kernel.context import new_context, within
from indigo_kernel.http.errors import InternalError, send_problem
from indigo_kernel.http.limits import ClientGone
from indigo_kernel.http.routetable import RouteTable
from indigo_kernel.http.scope import header, route_path
from indigo_kernel.ids import new_id
from indigo_kernel.telemetry import HTTP_SERVER_ACTIVE, HTTP_SERVER_SECONDS, method_label

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_CLIENT_GONE = 499
"""Status in the log and the metrics when the client left before the answer; never sent."""

_QUIET = ("/livez", "/readyz")
"""Probes come every few seconds: their lines have the level debug."""

_INTERNAL = "The request failed for a reason on our side; the log has it under the trace id"

_log = structlog.get_logger("indigo.access")


class AccessMiddleware:
    """Outermost: continues the caller's ``traceparent`` and ``x-request-id``, or makes new ones.

    The request id is the correlation of everything the request causes. Both headers are in the answer.
    """

    def __init__(self, app: ASGIApp, service: str, routes: RouteTable) -> None:
        self._app = app
        self._service = service
        self._routes = routes
        # The label sets are few (routes times statuses); looking a series up by them takes longer than counting.
        self._active = cache(partial(HTTP_SERVER_ACTIVE.labels, service))
        self._seconds = cache(partial(HTTP_SERVER_SECONDS.labels, service))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = header(scope, b"x-request-id")
        request_id = asked if asked and _REQUEST_ID.fullmatch(asked) else new_id()
        context = new_context(header(scope, b"traceparent"), correlation_id=request_id, causation_id=request_id)
        active = self._active(method_label(scope["method"]), scope["scheme"])
        active.inc()
        with within(context):
            exchange = _Exchange(
                send,
                [
                    (b"traceparent", context.traceparent.encode()),
                    (b"x-request-id", request_id.encode()),
                    # Files and records are what users uploaded: browsers shall not guess at their type.
                    (b"x-content-type-options", b"nosniff"),
                ],
            )
            method, error_type = scope["method"], ""
            started = perf_counter()
            try:
                await self._app(scope, receive, exchange.send)
            except (ClientGone, ClientDisconnect):
                exchange.status = exchange.status or _CLIENT_GONE
            except Exception as error:
                error_type = type(error).__qualname__
                _log.exception("request.failed", method=method, path=route_path(scope))
                if exchange.status:
                    # Part of the answer is out: only a cut connection tells the client that the rest is missing.
                    raise
                await send_problem(InternalError(_INTERNAL), scope, receive, exchange.send)
            finally:
                seconds = perf_counter() - started
                active.dec()
                route = self._routes.template(scope)
                self._observe(scope, method, route, exchange.status or _CLIENT_GONE, error_type, seconds)
                self._tell(scope, method, route, exchange, request_id, seconds)

    def _observe(
        self, scope: Scope, method: str, route: str, status: int, error_type: str, seconds: float
    ) -> None:
        if status >= 500 and not error_type:
            error_type = str(status)
        self._seconds(method_label(method), str(status), route, scope["scheme"], error_type).observe(seconds)

    def _tell(
        self, scope: Scope, method: str, route: str, exchange: _Exchange, request_id: str, seconds: float
    ) -> None:
        path = route_path(scope)
        write = _log.debug if path.startswith(_QUIET) else _log.info
        client = scope.get("client")
        write(
            "request.finished",
            service=self._service,
            request_id=request_id,
            method=method,
            path=path,
            route=route,
            status=exchange.status or _CLIENT_GONE,
            bytes_sent=exchange.size,
            duration_ms=round(seconds * 1000, 3),
            client=client[0] if client else None,
        )


class _Exchange:
    """What is known of the answer while it goes out."""

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._headers = headers
        self.status = 0
        self.size = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", []), *self._headers]}
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
        await self._send(message)
