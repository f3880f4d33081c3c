"""Metrics every process shows, and the operations port that shows them.

One registry per process: in the standalone suite five services share it, so every metric has the label
``service``. Names and buckets of the HTTP metrics are those of the OpenTelemetry semantic conventions
(http.server.request.duration and its kin, schema 1.44) as Prometheus writes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import parse_qs

import structlog
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from indigo_kernel.health import PROBES, HealthChecks

SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Upper bounds in seconds, from the semantic conventions' advice for request durations."""

HTTP_SERVER_SECONDS = Histogram(
    "http_server_request_duration_seconds",
    "Time from the first byte of a request to the last byte of its answer",
    [
        "service",
        "http_request_method",
        "http_response_status_code",
        "http_route",
        "url_scheme",
        "error_type",
    ],
    buckets=SECONDS_BUCKETS,
)
HTTP_SERVER_ACTIVE = Gauge(
    "http_server_active_requests",
    "Requests being answered now",
    ["service", "http_request_method", "url_scheme"],
)
HTTP_CLIENT_SECONDS = Histogram(
    "http_client_request_duration_seconds",
    "Time of one try of an outgoing request, to the headers of its answer",
    ["http_request_method", "server_address", "http_response_status_code", "error_type"],
    buckets=SECONDS_BUCKETS,
)
_BUILD = Gauge("indigo_build_info", "Always 1; the labels say what runs", ["service", "version"])
_REFRESH_FAILURES = Counter(
    "indigo_metrics_refresh_failures_total", "Readings of gauges that failed before a scrape", ["service"]
)

_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_REFRESH_SECONDS = 5.0

_log = structlog.get_logger(__name__)

Refresh = Callable[[], Awaitable[None]]
"""Brings gauges up to date (a count in the database) before they are read."""


def method_label(method: str) -> str:
    """The method as a label: what a caller invents is ``_OTHER`` (semantic conventions)."""
    return method if method in _METHODS else "_OTHER"


def state_build(service: str, version: str) -> None:
    """Show which version of ``service`` this process runs."""
    _BUILD.labels(service, version).set(1)


def ops_app(service: str, ops: HealthChecks, *, refresh: Sequence[Refresh] = ()) -> ASGIApp:
    """The application of the operations port: ``/metrics``, ``/livez`` and ``/readyz``.

    A ``refresh`` that fails or takes over 5 s is logged and counted, and the other metrics are still shown.
    """

    async def metrics(scope: Scope) -> Response:
        for one in refresh:
            try:
                async with asyncio.timeout(_REFRESH_SECONDS):
                    await one()
            except Exception:  # noqa: BLE001 - one broken reading must not hide the other metrics
                _REFRESH_FAILURES.labels(service).inc()
                _log.exception("metrics.refresh_failed", service=service)
        accept = next((value.decode("latin-1") for key, value in scope["headers"] if key == b"accept"), "")
        encode, content_type = choose_encoder(accept)
        return Response(encode(REGISTRY), headers={"content-type": content_type})

    async def answer(scope: Scope) -> Response:
        path = scope["path"]
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("method not allowed", 405, headers={"allow": "GET, HEAD"})
        if path == "/metrics":
            return await metrics(scope)
        name, _, only = path.removeprefix("/").partition("/")
        probe = PROBES.get(name)
        if probe is not None:
            query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            return await ops.answer(
                probe, only=only or None, verbose="verbose" in query, exclude=query.get("exclude", [])
            )
        return PlainTextResponse("not found", 404)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await (await answer(scope))(scope, receive, send)

    return app


async def _lifespan(receive: Receive, send: Send) -> None:
    """Nothing to start or stop, said in the words of the protocol."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
