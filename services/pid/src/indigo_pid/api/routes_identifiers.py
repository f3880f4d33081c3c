"""Identifiers: mint, read, change, tombstone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from indigo_contracts.problems import FieldError
from indigo_kernel.auth.dependency import Who
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.etag import IfMatch, etag, not_modified
from indigo_kernel.http.openapi import responses
from indigo_kernel.idempotency import idempotent
from indigo_kernel.pagination import Page, Paging
from indigo_kernel.problems import (
    AlreadyExists,
    Conflict,
    Forbidden,
    IdempotencyMismatch,
    InProgress,
    InvalidBody,
    NotFound,
    PreconditionRequired,
    StaleVersion,
    Unauthenticated,
)

from indigo_pid.api.deps import Deps
from indigo_pid.api.schemas import (
    BulkBody,
    BulkView,
    ChangeBody,
    HistoryView,
    IdentifierView,
    MintBody,
    ReservedView,
)
from indigo_pid.application import identifiers, tombstones
from indigo_pid.application.tombstones import Tombstoning
from indigo_pid.domain.names import ascii_lower

Handle = Annotated[str, Path(description="`prefix/suffix`, a DOI or an ARK", max_length=2048)]
Reason = Annotated[str, Query(min_length=1, max_length=2000, description="why it is gone; shown to everybody")]
Citation = Annotated[str | None, Query(min_length=1, max_length=2000, description="how to cite what was there")]
Replacement = Annotated[
    str | None,
    Query(max_length=2048, description="another identifier that resolves here, or a URL: what took its place"),
]
_MINTING = responses(Unauthenticated, Forbidden, AlreadyExists, InProgress, IdempotencyMismatch)
_CHANGES = responses(
    Unauthenticated, Forbidden, NotFound, Conflict, StaleVersion, PreconditionRequired
)  # what every change can answer


def identifier_routes(deps: Deps) -> APIRouter:
    """The routes under ``/api/identifiers``."""
    router = APIRouter(prefix="/api/identifiers", tags=["identifiers"])

    @router.post(
        "",
        status_code=201,
        response_model=IdentifierView,
        responses=_MINTING,
    )
    async def mint_identifier(request: Request, who: Who, body: MintBody) -> Response:
        """Mint an identifier for anything. Needs the scope `pid:mint` and an `Idempotency-Key`."""
        who.require(Scope.PID_MINT)  # before anybody's key is looked up
        async with deps.work() as work:

            async def mint() -> Response:
                made = await identifiers.mint_identifier(work, deps.rules, body.request(), who)
                return Response(
                    IdentifierView.of(made).model_dump_json(),
                    201,
                    media_type="application/json",
                    headers={
                        "etag": etag(made.version),
                        "location": f"{deps.rules.naming.base_url}/api/identifiers/{made.handle}",
                    },
                )

            return await idempotent(request, work.conn, f"{who.iss} {who.sub}", mint, now=work.now)

    @router.post("/bulk", status_code=201, response_model=BulkView, responses=_MINTING)
    async def mint_identifiers(request: Request, who: Who, body: BulkBody) -> Response:
        """Mint up to 10 000 identifiers, or none of them. Needs `pid:mint` and an `Idempotency-Key`."""
        who.require(Scope.PID_MINT)
        async with deps.work() as work:

            async def mint() -> Response:
                made = await identifiers.mint_identifiers(work, deps.rules, body.requests(), who)
                view = BulkView(items=[ReservedView.of(one) for one in made])
                return Response(view.model_dump_json(), 201, media_type="application/json")

            return await idempotent(request, work.conn, f"{who.iss} {who.sub}", mint, now=work.now)

    @router.get("/unused", responses=responses(Unauthenticated, Forbidden))
    async def list_unused(who: Who, paging: Paging) -> Page[IdentifierView]:
        """Reserved identifiers whose drafts were thrown away: nothing will come of them. For operators."""
        after = str(paging.after[0]) if paging.after else None
        async with deps.work() as work:
            found = await identifiers.unused_identifiers(work, who, after=after, limit=paging.limit + 1)
        return paging.page([IdentifierView.of(one) for one in found], lambda shown: (ascii_lower(shown.handle),))

    @router.get("/{handle:path}/history", responses=responses(NotFound))
    async def read_history(who: Who, handle: Handle) -> HistoryView:
        """Every change of an identifier as a chain of hashes, and whether the chain holds."""
        async with deps.work() as work:
            identifier, entries = await identifiers.read_history(work, handle, who)
        return HistoryView.of(identifier, entries, now=work.now, actors=who.has(Scope.OPERATOR))

    @router.get("/{handle:path}", response_model=IdentifierView, responses=responses(NotFound))
    async def read_identifier(
        request: Request, response: Response, who: Who, handle: Handle
    ) -> IdentifierView | Response:
        """An identifier, by any of its names. A reserved one is shown to its owner only."""
        async with deps.work() as work:
            found = await identifiers.read_identifier(work, handle, who)
        tag = etag(found.version)
        if unchanged := not_modified(request, tag):
            return unchanged
        response.headers["etag"] = tag
        return IdentifierView.of(found)

    @router.patch("/{handle:path}", responses=_CHANGES)
    async def change_identifier(
        response: Response, who: Who, handle: Handle, body: ChangeBody, expected: IfMatch
    ) -> IdentifierView:
        """Lead elsewhere, or describe anew (JSON Merge Patch). A reserved identifier is active from then on."""
        change = body.model_dump(exclude_unset=True)
        if not change:
            detail = "Say what to change: target, metadata, or both"
            raise InvalidBody(detail, errors=[FieldError(pointer="", detail=detail, code="empty")])
        async with deps.work() as work:
            changed = await identifiers.change_identifier(work, deps.rules, handle, change, expected, who)
        response.headers["etag"] = etag(changed.version)
        return IdentifierView.of(changed)

    @router.delete("/{handle:path}", responses=_CHANGES)
    async def tombstone_identifier(
        response: Response,
        who: Who,
        handle: Handle,
        expected: IfMatch,
        reason: Reason,
        citation: Citation = None,
        replacement: Replacement = None,
    ) -> IdentifierView:
        """Declare gone what the identifier names. The name stays and resolves to a page that says so."""
        async with deps.work() as work:
            wanted = Tombstoning(reason, citation, replacement)
            gone = await tombstones.tombstone_identifier(work, deps.rules, handle, wanted, expected, who)
        response.headers["etag"] = etag(gone.version)
        return IdentifierView.of(gone)

    return router
