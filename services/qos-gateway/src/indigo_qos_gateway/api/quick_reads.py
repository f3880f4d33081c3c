"""Reading objects and containers, found before every other route and without FastAPI's dependencies.

It is what clients do most, and its route is the last of all because it takes every path: looking at the others
first and solving the dependencies took longer than the answer. What it does and how it is described is
``routes_cdmi.read_object``.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from fastapi import APIRouter, Request, Response
from indigo_kernel.auth.dependency import authenticate
from starlette.convertors import StringConvertor, register_url_convertor

from indigo_qos_gateway.api.deps import target
from indigo_qos_gateway.api.negotiation import CdmiRoute, Handle, told
from indigo_qos_gateway.api.routes_cdmi import read_object
from indigo_qos_gateway.domain.paths import RESERVED

_CONVERTOR = "object_path"


class _Quick(CdmiRoute):
    """Calls its function with the request and nothing else."""

    def get_route_handler(self) -> Handle:
        return told(self.endpoint)


async def read_quickly(request: Request) -> Response:
    who = await authenticate(request)
    return await read_object(request, request.app.state.gateway, who, target(request))


def quick_router(own_names: Collection[str]) -> APIRouter:
    """Answers GET of every path but those whose first segment is one of ``own_names`` or reserved by CDMI."""
    own = "|".join(map(re.escape, sorted(own_names)))

    class ObjectPath(StringConvertor):
        regex = rf"(?!{RESERVED}|(?:{own})(?:/|$)).*"

    register_url_convertor(_CONVERTOR, ObjectPath())
    router = APIRouter(route_class=_Quick)
    router.add_api_route(
        f"/{{path:{_CONVERTOR}}}", read_quickly, methods=["GET"], response_model=None, include_in_schema=False
    )
    return router
