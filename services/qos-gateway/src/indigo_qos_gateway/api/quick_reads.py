"""Reading objects and containers, answered before FastAPI looks for a route.

It is what clients do most, and its route is the last of all because it takes every path: looking at the others
first and solving the dependencies took longer than the answer. What it does and how it is described is
``routes_cdmi.read_object``.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from fastapi import Request, Response
from fastapi.routing import APIRoute
from indigo_kernel.auth.dependency import authenticate
from indigo_kernel.http.errors import known_response
from indigo_kernel.http.scope import route_path
from starlette.types import ASGIApp, Receive, Scope, Send

from indigo_qos_gateway.api.deps import target
from indigo_qos_gateway.api.negotiation import told
from indigo_qos_gateway.api.routes_cdmi import read_object, router
from indigo_qos_gateway.domain.paths import RESERVED

_ROUTE = next(each for each in router.routes if isinstance(each, APIRoute) and each.endpoint is read_object)


class QuickReads:
    """Innermost middleware: answers GET of every path but those the service or CDMI has for itself.

    These begin with one of ``own_names`` or with what CDMI reserves, and go on to the application, as do names
    with line ends.
    """

    def __init__(self, app: ASGIApp, own_names: Collection[str]) -> None:
        self._app = app
        own = "|".join(map(re.escape, sorted(own_names)))
        self._takes = re.compile(rf"/(?!{RESERVED}|(?:{own})(?:/|$)).*").fullmatch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not self._takes(route_path(scope)):
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE  # the name of these requests in the log and the metrics
        try:
            response = await _read(Request(scope, receive))
        except Exception as error:
            refusal = known_response(error, scope)
            if refusal is None:
                raise
            response = refusal
        await response(scope, receive, send)


@told
async def _read(request: Request) -> Response:
    who = await authenticate(request)
    return await read_object(request, request.app.state.gateway, who, target(request))
