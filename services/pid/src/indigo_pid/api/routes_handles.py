"""The Handle REST API, and the reverse lookup that comes with it.

Sources: Handle.Net technical manual (version 9), chapter 14 (GET, PUT and DELETE with ``type``, ``index``,
``overwrite``, ``mintNewSuffix``; listings); ePIC reverse lookup (``/hrls/handles?URL=*…*``). Clients of it know no
entity tags, so none is asked for: the last one who writes wins, and the history tells.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response
from indigo_contracts.pid import IdentifierState
from indigo_kernel.http.params import Int64
from indigo_kernel.problems import Unauthenticated
from pydantic import JsonValue
from starlette.responses import JSONResponse

from indigo_pid.api.deps import Deps
from indigo_pid.api.handle_answers import (
    ERRORS,
    FOREIGN,
    FOUND,
    INVALID,
    NO_VALUES,
    NOT_FOUND,
    HandleWho,
    Refusal,
    refusal,
    telling,
)
from indigo_pid.api.schemas import HandleList, HandleRecord, HandleValue
from indigo_pid.application import handles
from indigo_pid.application.handles import InvalidHandle
from indigo_pid.application.template_handles import template_values
from indigo_pid.domain.handle_values import TTL_SECONDS, index_of, is_type, values_of
from indigo_pid.domain.names import parse_name

MOST_LISTED = 10_000
MOST_FOUND = 1000
MOST_TERMS = 10

Handle = Annotated[str, Path(max_length=2048, description="`prefix/suffix`")]
Types = Annotated[
    list[str] | None, Query(alias="type", description="only values of these types; `X.` also of X.Y")
]
Indices = Annotated[list[Int64] | None, Query(alias="index", description="only values at these indices")]
WriteIndices = Annotated[
    list[str] | None,
    Query(alias="index", description="only values at these indices, or `various` for those in the body"),
]
Overwrite = Annotated[bool, Query(description="whether what is there may be replaced")]
MintNewSuffix = Annotated[bool, Query(alias="mintNewSuffix", description="append a random suffix to the handle")]
Values = Annotated[JsonValue, Body(description='a list of values, `{"values": […]}`, or a single value')]


def handle_routes(deps: Deps) -> APIRouter:
    """The routes under ``/api/handles``. Only what resolves, or did, is a handle: reserved names are not."""
    router = APIRouter(prefix="/api/handles", tags=["handles"])

    @router.get("", responses=ERRORS)
    async def list_handles(
        prefix: Annotated[str, Query(max_length=100)],
        page: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
        page_size: Annotated[int, Query(alias="pageSize", ge=0, le=MOST_LISTED)] = 1000,
    ) -> HandleList:
        """The handles under a prefix by name; with `pageSize=0` only how many there are."""
        ours = deps.rules.prefixes.named(prefix)
        if ours is None:
            raise Refusal(refusal(400, FOREIGN, prefix, "That prefix doesn't live here"))
        async with deps.work() as work:
            found, total = await work.identifiers.under(ours, skip=page * page_size, limit=page_size)
        return HandleList(
            responseCode=FOUND, prefix=prefix, totalCount=total, page=page, pageSize=page_size, handles=found
        )

    @router.get("/{handle:path}", response_model_exclude_none=True, responses=ERRORS)
    async def read_handle(
        response: Response, handle: Handle, types: Types = None, indices: Indices = None
    ) -> HandleRecord:
        """The values of a handle or a DOI as the Handle System tells them."""
        name = parse_name(handle)
        if name is None:
            raise Refusal(refusal(400, INVALID, handle))
        async with deps.work() as work:
            identifier = await work.identifiers.find(name)
            values = await template_values(work, deps.rules, handle) if identifier is None else None
        if identifier is not None and identifier.state is not IdentifierState.RESERVED:
            values = values_of(identifier)
        if values is None:
            raise Refusal(refusal(404, NOT_FOUND, handle))
        response.headers["cache-control"] = f"public, max-age={TTL_SECONDS}"
        if types or indices:
            values = [
                one
                for one in values
                if any(is_type(one, asked) for asked in types or ()) or index_of(one) in (indices or ())
            ]
        return HandleRecord(
            responseCode=FOUND if values else NO_VALUES,
            handle=handle,
            values=[HandleValue.model_validate(one) for one in values],
        )

    @router.put(
        "/{handle:path}", response_model_exclude_none=True, responses={201: {"model": HandleRecord}, **ERRORS}
    )
    async def write_handle(
        response: Response,
        who: HandleWho,
        handle: Handle,
        body: Values,
        overwrite: Overwrite = True,
        indices: WriteIndices = None,
        mint_new_suffix: MintNewSuffix = False,
    ) -> HandleRecord:
        """Create a handle, replace its values, or those at some indices. Needs the scope `pid:mint`."""
        with telling(handle):
            async with deps.work() as work:
                if mint_new_suffix:
                    written, new = await handles.mint_handle(work, deps.rules, handle, body, who), True
                else:
                    written, new = await handles.put_handle(
                        work, deps.rules, handle, body, who, overwrite=overwrite, indices=_indices(indices)
                    )
        response.status_code = 201 if new else 200
        return HandleRecord(responseCode=FOUND, handle=written.handle if mint_new_suffix else handle)

    @router.delete("/{handle:path}", response_model_exclude_none=True, responses=ERRORS)
    async def delete_handle(who: HandleWho, handle: Handle, indices: WriteIndices = None) -> HandleRecord:
        """Remove values, or declare the handle gone: its name stays and is never given again."""
        with telling(handle):
            async with deps.work() as work:
                await handles.delete_handle(work, deps.rules, handle, who, indices=_indices(indices))
        return HandleRecord(responseCode=FOUND, handle=handle)

    return router


def lookup_routes(deps: Deps) -> APIRouter:
    """The reverse lookup."""
    router = APIRouter(prefix="/hrls", tags=["handles"])

    @router.get("/handles", response_model=list[str], responses=ERRORS)
    async def find_handles(request: Request, who: HandleWho) -> Response:
        """Handles with the values named in the query, as `?URL=*example.org*&CHECKSUM=abc`: `*` is anything."""
        with telling(""):
            if who.anonymous:
                raise Unauthenticated("The reverse lookup needs credentials")
            terms = request.query_params.multi_items()
            if not 0 < len(terms) <= MOST_TERMS:
                raise InvalidHandle(f"Name 1 to {MOST_TERMS} values to look for")
        async with deps.work() as work:
            found = await work.identifiers.with_values(terms, limit=MOST_FOUND)
        return JSONResponse(found)

    return router


def _indices(asked: list[str] | None) -> set[int] | None:
    """The indices in a query; the empty set for ``various``. Raises ``InvalidHandle``."""
    if asked is None:
        return None
    if asked == ["various"]:
        return set()
    if not all(one.isascii() and one.isdecimal() and len(one) <= 10 for one in asked):
        raise InvalidHandle("An index is a number")
    return {int(one) for one in asked}
