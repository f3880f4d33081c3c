"""Drafts over HTTP (shape of InvenioRDM's drafts and records API)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from indigo_kernel.auth.dependency import Who
from indigo_kernel.etag import IfMatch, etag
from indigo_kernel.http.openapi import responses
from indigo_kernel.idempotency import idempotent
from indigo_kernel.problems import (
    Conflict,
    Forbidden,
    InvalidBody,
    NotFound,
    PreconditionRequired,
    StaleVersion,
    Unauthenticated,
    Unavailable,
)

from indigo_repository.api.deps import RecordId, Room, principal_name
from indigo_repository.api.present import show_record
from indigo_repository.api.schemas import DraftUpdate, NewDraft, RecordOut
from indigo_repository.application import publication
from indigo_repository.application.access import draft_for_reading
from indigo_repository.application.drafts import create_draft, delete_draft, update_draft

_WRITE = (Unauthenticated, Forbidden, NotFound, Conflict)
_CHANGE = (*_WRITE, StaleVersion, PreconditionRequired)


def drafts_router(room: Room) -> APIRouter:
    router = APIRouter(prefix="/api/records", tags=["drafts"])

    @router.post(
        "",
        status_code=201,
        name="create_draft",
        response_model=RecordOut,
        responses=responses(Unauthenticated, Forbidden, "idempotency-mismatch", "in-progress"),
    )
    async def create(request: Request, body: NewDraft, who: Who) -> Response:
        """Begin a draft. What publication still needs is told in `errors`. `Idempotency-Key` is honored."""
        async with room.open_work() as work:

            async def effect() -> Response:
                record = await create_draft(work, body.kind, body.metadata.to_domain(), who)
                shown = await show_record(work, record, room.site)
                return _answer(shown, 201, {"location": room.site.draft(record.id)})

            return await idempotent(request, work.conn, principal_name(who), effect, now=work.now, required=False)

    @router.get("/{record_id}/draft", name="get_draft", responses=responses(NotFound))
    async def get(record_id: RecordId, who: Who, response: Response) -> RecordOut:
        """A draft, for its owner."""
        async with room.open_work() as work:
            record = await draft_for_reading(work, record_id, who)
            response.headers["etag"] = etag(record.version)
            return await show_record(work, record, room.site)

    @router.put("/{record_id}/draft", name="update_draft", responses=responses(*_CHANGE))
    async def update(
        record_id: RecordId, body: DraftUpdate, who: Who, if_match: IfMatch, response: Response
    ) -> RecordOut:
        """Replace the metadata of a draft."""
        async with room.open_work() as work:
            record = await update_draft(work, record_id, body.metadata.to_domain(), who, if_match.check)
            response.headers["etag"] = etag(record.version)
            return await show_record(work, record, room.site)

    @router.delete("/{record_id}/draft", status_code=204, name="delete_draft", responses=responses(*_CHANGE))
    async def delete(record_id: RecordId, who: Who, if_match: IfMatch) -> None:
        """Discard a draft with its files."""
        async with room.open_work() as work:
            blobs = await delete_draft(work, record_id, who, if_match.check, room.site)
        await publication.remove_blobs(room.staging, blobs)

    @router.post(
        "/{record_id}/draft/actions/publish",
        name="publish_draft",
        response_model=RecordOut,
        responses=responses(*_WRITE, InvalidBody, Unavailable, "idempotency-mismatch", "in-progress"),
    )
    async def publish(request: Request, record_id: RecordId, who: Who) -> Response:
        """Preserve and publish a draft: the answer comes when the files were written, read back and compared.

        A publication that was cut off is taken up by asking again; with the same `Idempotency-Key` the first
        answer is given again.
        """
        async with room.open_work() as work:
            begun = await publication.begin(work, record_id, who)
        paths = (
            await publication.preserve(begun, room.open_work, room.store, room.staging, room.site) if begun else {}
        )
        async with room.open_work() as work:

            async def effect() -> Response:
                if begun is None:
                    raise Conflict("The record is published already")
                record = await publication.complete(work, begun, paths, room.site)
                return _answer(await show_record(work, record, room.site), 200, {"etag": etag(record.version)})

            answer = await idempotent(
                request, work.conn, principal_name(who), effect, now=work.now, required=False
            )
        if begun is not None:
            await publication.remove_blobs(room.staging, begun.blobs)
        return answer

    return router


def _answer(shown: RecordOut, status: int, headers: dict[str, str]) -> Response:
    headers = {"etag": etag(shown.revision_id), **headers}
    return Response(shown.model_dump_json(), status, headers, "application/json")
