"""Errors on the paths of the RDA common maDMP API: ``{"error_code", "error_message"}`` for every problem.

Whoever refuses a request, a use case or the kernel, writes a problem (RFC 9457); here, and only here, it is
told in the words of that API. ``errors`` with JSON Pointers is added to them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from indigo_contracts.problems import BASE, MEDIA_TYPE
from indigo_kernel.http.scope import route_path
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CODES: Mapping[str, tuple[int, str]] = {
    "bad-request": (400, "bad_request"),
    "invalid-text": (400, "bad_request"),
    "invalid-body": (400, "dmp_invalid"),
    "invalid-parameter": (400, "invalid_query_string"),
    "unauthenticated": (401, "authentication_required"),
    "forbidden": (403, "insufficient_permissions"),
    "not-found": (404, "dmp_not_found"),
    "not-acceptable": (406, "not_acceptable"),
    "conflict": (409, "conflict"),
    "already-exists": (409, "dmp_already_exists"),
    "precondition-failed": (409, "dmp_stale"),
    "unsupported-media-type": (415, "unsupported_media_type"),
}


def is_common(path: str) -> bool:
    """Whether ``path`` is one of the common API's."""
    return path == "/dmps" or path.startswith("/dmps/")


def told(problem: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Status and body of the common API for a problem; ``generic_error`` when it has no word for it."""
    slug = str(problem["type"]).removeprefix(BASE)
    status, code = _CODES.get(slug, (problem["status"], "generic_error"))
    body = {"error_code": code, "error_message": problem.get("detail") or problem["title"]}
    if "errors" in problem:
        body["errors"] = problem["errors"]
    return status, body


class CommonErrors:
    """Outermost middleware: rewrites problems on the paths of the common API."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_common(route_path(scope)):
            send = _Rewriting(send, head=scope["method"] == "HEAD").send
        await self._app(scope, receive, send)


class _Rewriting:
    def __init__(self, send: Send, *, head: bool) -> None:
        self._send = send
        self._head = head
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._is_problem(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)

    def _is_problem(self, message: Message) -> bool:
        content_type = MutableHeaders(raw=message["headers"]).get("content-type", "")
        return content_type.startswith(MEDIA_TYPE)

    async def _finish(self, start: Message) -> None:
        if not self._body:  # the answer to HEAD: the status still has to be the one GET would have
            self._body = json.dumps(_UNTOLD | {"status": start["status"]}).encode()
        status, told_body = told(json.loads(self._body))
        body = json.dumps(told_body).encode()
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["content-type"] = "application/json"
        headers["content-length"] = str(len(body))
        await self._send({**start, "status": status, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": b"" if self._head else body})


_UNTOLD = {"type": "about:blank", "title": ""}
