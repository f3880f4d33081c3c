"""HEAD wherever GET answers: the same headers, no body (RFC 9110, 9.3.2)."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from indigo_kernel.http.routetable import RouteTable
from indigo_kernel.http.scope import route_path


class _HeadersSent(Exception):
    """The headers are out and the caller wants no more: stop producing the body."""


class HeadMiddleware:
    """Runs HEAD as GET and drops the body; a stream is stopped at its first chunk instead of read to the end.

    A route that declares HEAD without GET keeps its own answer.
    """

    def __init__(self, app: ASGIApp, routes: RouteTable) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or self._routes.has_own_head(route_path(scope)):
            await self._app(scope, receive, send)
            return
        scope["method"] = "GET"
        ended = False

        async def send_headers(message: Message) -> None:
            nonlocal ended
            # The routing is done, and the server reads here how to frame the answer: HEAD has no body.
            scope["method"] = "HEAD"
            if message["type"] == "http.response.start":
                await send(message)
                return
            if not ended:
                ended = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            if message.get("more_body", False):
                raise _HeadersSent

        try:
            await self._app(scope, receive, send_headers)
        except _HeadersSent:
            pass
        finally:
            scope["method"] = "HEAD"
