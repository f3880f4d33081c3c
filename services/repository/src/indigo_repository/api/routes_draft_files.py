"""Files of drafts over HTTP: announce, send, commit (shape of InvenioRDM's draft files API)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from indigo_kernel.auth.dependency import Who
from indigo_kernel.http.limits import ClientGone
from indigo_kernel.http.openapi import responses
from indigo_kernel.problems import (
    BadRequest,
    ChecksumMismatch,
    Conflict,
    Forbidden,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from pydantic import Field
from starlette.requests import ClientDisconnect

from indigo_repository.api.checksums import announced_checksums
from indigo_repository.api.content import send_content
from indigo_repository.api.deps import FileKey, RecordId, Room, file_key
from indigo_repository.api.present import show_file
from indigo_repository.api.schemas import FileList, FileOut, NewFileIn
from indigo_repository.application.access import draft_for_reading
from indigo_repository.application.publication import remove_blobs
from indigo_repository.application.uploads import announce_files, commit_file, delete_file, receive_content

_WRITE = (Unauthenticated, Forbidden, NotFound, Conflict)


def draft_files_router(room: Room) -> APIRouter:
    router = APIRouter(prefix="/api/records/{record_id}/draft/files", tags=["draft files"])

    @router.get("", name="list_draft_files", responses=responses(NotFound))
    async def list_files(record_id: RecordId, who: Who) -> FileList:
        """The files of a draft with the state of their uploads."""
        async with room.open_work() as work:
            await draft_for_reading(work, record_id, who)
            files = await work.files.of(record_id)
            return FileList(entries=[show_file(file, room.site, draft=True) for file in files])

    @router.post("", status_code=201, name="announce_draft_files", responses=responses(*_WRITE, "already-exists"))
    async def announce(
        record_id: RecordId, body: Annotated[list[NewFileIn], Field(min_length=1, max_length=1000)], who: Who
    ) -> FileList:
        """Name files that will be sent. A name is a safe relative path; segments are joined with `/`."""
        async with room.open_work() as work:
            files = await announce_files(work, record_id, [one.key for one in body], room.limits, who)
        return FileList(entries=[show_file(file, room.site, draft=True) for file in files])

    @router.put(
        "/{key:path}/content",
        name="put_draft_content",
        responses=responses(*_WRITE, TooLarge, ChecksumMismatch, Unavailable),
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    async def put_content(
        request: Request,
        record_id: RecordId,
        key: FileKey,
        who: Who,
        checksum: Annotated[
            str | None, Query(max_length=140, description="`sha256:`, `sha512:` or `md5:` and the hex digest")
        ] = None,
    ) -> FileOut:
        """Send the bytes of an announced file, streamed to the disk and hashed on the way.

        `Repr-Digest`, `Content-Digest`, `Digest`, `Content-MD5` and `checksum` are compared with what arrived;
        on a mismatch, or when the connection breaks, the file is what it was before.
        """
        expected = announced_checksums(request.headers, checksum)
        length = request.headers.get("content-length")
        if length is not None and not length.isdecimal():
            raise BadRequest("Content-Length is not a number")
        file = await receive_content(
            room.open_work,
            room.staging,
            room.limits,
            record_id,
            file_key(key),
            who,
            _chunks(request),
            announced=int(length) if length is not None else None,
            expected=expected,
        )
        return show_file(file, room.site, draft=True)

    @router.get(
        "/{key:path}/content",
        name="get_draft_content",
        response_class=Response,
        responses=responses(NotFound, Unavailable),
    )
    async def get_content(request: Request, record_id: RecordId, key: FileKey, who: Who) -> Response:
        """The bytes of a draft's file, for its owner."""
        async with room.open_work() as work:
            await draft_for_reading(work, record_id, who)
            file = await work.files.get(record_id, file_key(key))
        if file.blob is None:
            raise NotFound("The file has no content yet")
        return await send_content(request, file, room.staging.path(file.blob))

    @router.post("/{key:path}/commit", name="commit_draft_file", responses=responses(*_WRITE))
    async def commit(record_id: RecordId, key: FileKey, who: Who) -> FileOut:
        """Declare the content of a file complete."""
        async with room.open_work() as work:
            file = await commit_file(work, record_id, file_key(key), who)
        return show_file(file, room.site, draft=True)

    @router.get("/{key:path}", name="get_draft_file", responses=responses(NotFound))
    async def get(record_id: RecordId, key: FileKey, who: Who) -> FileOut:
        """One file of a draft."""
        async with room.open_work() as work:
            await draft_for_reading(work, record_id, who)
            file = await work.files.get(record_id, file_key(key))
        return show_file(file, room.site, draft=True)

    @router.delete("/{key:path}", status_code=204, name="delete_draft_file", responses=responses(*_WRITE))
    async def delete(record_id: RecordId, key: FileKey, who: Who) -> None:
        """Take a file out of a draft."""
        async with room.open_work() as work:
            blob = await delete_file(work, record_id, file_key(key), who)
        if blob is not None:
            await remove_blobs(room.staging, [blob])

    return router


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise ClientGone from None
