"""The read face of the Handle REST API.

Sources: Handle.Net technical manual (version 9), chapter 14: ``GET /api/handles/{handle}`` with ``type`` and
``index``; RFC 3651 (values); RFC 3652 (response codes).
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from indigo_contracts.pid import IdentifierState
from indigo_kernel.http.openapi import Responses, responses
from indigo_kernel.http.params import Int64
from indigo_kernel.problems import BadRequest

from indigo_pid.api.deps import Deps
from indigo_pid.api.schemas import AdminValue, HandleData, HandleRecord, HandleValue, handle_instant
from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.names import ascii_lower, parse_name

FOUND = 1
NOT_FOUND = 100
INVALID = 102
NO_VALUES = 200

TTL_SECONDS = 300
"""Caches ask again after this: the default of a day would keep old targets alive for a day."""

Handle = Annotated[str, Path(max_length=2048, description="`prefix/suffix`")]
Types = Annotated[
    list[str] | None, Query(alias="type", description="only values of these types; `X.` also of X.Y")
]
Indices = Annotated[list[Int64] | None, Query(alias="index", description="only values at these indices")]


_ERRORS: Responses = {
    # What the kernel refuses before it comes here is a problem document.
    400: {**responses(BadRequest)[400], "model": HandleRecord},
    404: {"description": "No such handle", "model": HandleRecord},
}


def handle_routes(deps: Deps) -> APIRouter:
    """The routes under ``/api/handles``. Only what resolves, or did, is a handle: reserved names are not."""
    router = APIRouter(prefix="/api/handles", tags=["handles"])

    @router.get("/{handle:path}", response_model_exclude_none=True, responses=_ERRORS)
    async def read_handle(
        response: Response, handle: Handle, types: Types = None, indices: Indices = None
    ) -> HandleRecord:
        """The values of a handle or a DOI as the Handle System tells them."""
        name = parse_name(handle)
        if name is None:
            response.status_code = 400
            return HandleRecord(responseCode=INVALID, handle=handle)
        async with deps.work() as work:
            identifier = await work.identifiers.find(name)
        if identifier is None or identifier.state is IdentifierState.RESERVED:
            response.status_code = 404
            return HandleRecord(responseCode=NOT_FOUND, handle=handle)
        response.headers["cache-control"] = f"public, max-age={TTL_SECONDS}"
        values = _values(identifier)
        if types or indices:
            values = [
                one
                for one in values
                if any(_is_type(one.type, asked) for asked in types or ()) or one.index in (indices or ())
            ]
        return HandleRecord(responseCode=FOUND if values else NO_VALUES, handle=handle, values=values)

    return router


def _values(identifier: Identifier) -> list[HandleValue]:
    """What the identifier says of itself, by index. A tombstoned one leads to the page that says so."""
    gone = identifier.state is IdentifierState.TOMBSTONED
    texts = [
        (1, "URL", identifier.resolver_url if gone else identifier.target),
        (2, "ARK", identifier.ark),
        (3, "DOI", identifier.doi),
        (4, "KIND", identifier.kind.value if identifier.kind else None),
        (5, "TOMBSTONE", identifier.reason if gone else None),
    ]
    moment = handle_instant(identifier.updated_at)
    values = [
        HandleValue(
            index=index,
            type=kind,
            data=HandleData(format="string", value=text),
            ttl=TTL_SECONDS,
            timestamp=moment,
        )
        for index, kind, text in texts
        if text
    ]
    prefix = identifier.handle.partition("/")[0]
    admin = AdminValue(handle=f"0.NA/{prefix}", index=200, permissions="011111110011")
    values.append(
        HandleValue(
            index=100,
            type="HS_ADMIN",
            data=HandleData(format="admin", value=admin),
            ttl=TTL_SECONDS,
            timestamp=handle_instant(identifier.created_at),
        )
    )
    return values


def _is_type(type_: str, asked: str) -> bool:
    """Types compare without case; one that ends in a dot stands for all below it."""
    mine, wanted = ascii_lower(type_), ascii_lower(asked)
    return mine == wanted or (wanted.endswith(".") and (mine + ".").startswith(wanted))
