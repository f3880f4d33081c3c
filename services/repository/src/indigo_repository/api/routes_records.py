"""Published records over HTTP (shape of InvenioRDM's records API)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from indigo_contracts.repository import RecordKind
from indigo_kernel.auth.dependency import Who
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.etag import etag, not_modified
from indigo_kernel.http.openapi import responses
from indigo_kernel.pagination import Page, Paging
from indigo_kernel.problems import Conflict, Forbidden, Gone, NotFound, Unauthenticated, Unavailable

from indigo_repository.api.content import send_content
from indigo_repository.api.deps import FileKey, RecordId, Room, file_key, principal_name
from indigo_repository.api.present import show_event, show_file, show_record, show_records
from indigo_repository.api.schemas import (
    CheckedFile,
    FileList,
    FileOut,
    Hits,
    PremisEvent,
    RecordList,
    RecordOut,
    VerificationOut,
    Withdrawal,
)
from indigo_repository.application import fixity
from indigo_repository.application.access import draft_for_reading, public_record, require_file_access
from indigo_repository.application.withdrawal import withdraw_record
from indigo_repository.application.work import Search
from indigo_repository.domain.errors import StorageFault

_FILE_ACCESS = (NotFound, Gone, Unauthenticated, Forbidden)


def records_router(room: Room) -> APIRouter:
    router = APIRouter(prefix="/api/records", tags=["records"])

    @router.get("", name="search_records")
    async def search(
        who: Who,
        paging: Paging,
        request: Request,
        q: Annotated[str | None, Query(max_length=500, description="words; quotes and - as in web search")] = None,
        kind: RecordKind | None = None,
        plan: Annotated[str | None, Query(max_length=200, description="id of the plan")] = None,
        output: Annotated[str | None, Query(max_length=63, description="key of the planned output")] = None,
    ) -> RecordList:
        """Published records, and one's own drafts, newest first."""
        actor = who.actor
        wanted = Search(q, kind, plan, output, actor.iss if actor else None, actor.sub if actor else None)
        before = str(paging.after[0]) if paging.after else None
        async with room.open_work() as work:
            found = await work.records.search(wanted, before=before, limit=paging.limit + 1)
            page = paging.page(found, lambda record: (record.id,))
            shown = await show_records(work, page.items, room.site)
            total = await work.records.count(wanted)
        own = f"{room.site.base_url}/api/records"
        query = request.url.query
        return RecordList(
            hits=Hits(hits=shown, total=total),
            links={"self": f"{own}?{query}" if query else own},
            next_cursor=page.next_cursor,
        )

    @router.get("/{record_id}", name="get_record", response_model=RecordOut, responses=responses(NotFound, Gone))
    async def get(request: Request, record_id: RecordId) -> Response:
        """A published record; 410 with the tombstone when it was withdrawn."""
        async with room.open_work() as work:
            record = await public_record(work, record_id)
            unchanged = not_modified(request, etag(record.version))
            if unchanged is not None:
                return unchanged
            shown = await show_record(work, record, room.site)
        return Response(shown.model_dump_json(), 200, {"etag": etag(record.version)}, "application/json")

    @router.get("/{record_id}/files", name="list_files", responses=responses(*_FILE_ACCESS))
    async def list_files(record_id: RecordId, who: Who) -> FileList:
        """The files of a record."""
        async with room.open_work() as work:
            require_file_access(await public_record(work, record_id), who)
            files = await work.files.of(record_id)
        return FileList(entries=[show_file(file, room.site, draft=False) for file in files])

    @router.get(
        "/{record_id}/files/{key:path}/content",
        name="get_content",
        response_class=Response,
        responses=responses(*_FILE_ACCESS, Unavailable),
    )
    async def get_content(request: Request, record_id: RecordId, key: FileKey, who: Who) -> Response:
        """The bytes of a file. Ranges work; `ETag` is the sha256.

        A file known to be damaged is refused (503), except to operators and other services.
        """
        async with room.open_work() as work:
            record = await public_record(work, record_id)
            require_file_access(record, who)
            file = await work.files.get(record_id, file_key(key))
        if file.damage is not None and not (who.has(Scope.SERVICE) or who.has(Scope.OPERATOR)):
            raise StorageFault(f"{file.key!r} did not pass its last fixity check: {file.damage}")
        assert file.content_path is not None
        return await send_content(request, file, room.store.path(record.object_id, file.content_path))

    @router.get("/{record_id}/files/{key:path}", name="get_file", responses=responses(*_FILE_ACCESS))
    async def get_file(record_id: RecordId, key: FileKey, who: Who) -> FileOut:
        """One file of a record, without its bytes."""
        async with room.open_work() as work:
            require_file_access(await public_record(work, record_id), who)
            file = await work.files.get(record_id, file_key(key))
        return show_file(file, room.site, draft=False)

    @router.post(
        "/{record_id}/actions/withdraw",
        name="withdraw_record",
        responses=responses(Unauthenticated, Forbidden, NotFound, Gone, Conflict),
    )
    async def withdraw(record_id: RecordId, body: Withdrawal, who: Who) -> RecordOut:
        """Withdraw a published record: a tombstone stays, the files are not served any more."""
        async with room.open_work() as work:
            record = await withdraw_record(work, record_id, body.reason, who, room.site)
            return await show_record(work, record, room.site)

    @router.get("/{record_id}/premis", name="list_premis", responses=responses(NotFound))
    async def list_premis(record_id: RecordId, who: Who, paging: Paging) -> Page[PremisEvent]:
        """What happened to the record, oldest first (PREMIS 3 events). It outlives a withdrawal."""
        after = int(paging.after[0]) if paging.after and isinstance(paging.after[0], int) else None
        async with room.open_work() as work:
            record = await work.records.get(record_id)
            if record.published_at is None:
                await draft_for_reading(work, record_id, who)
            events = await work.events.of(record_id, after=after, limit=paging.limit + 1)
        page = paging.page(events, lambda event: (event.id or 0,))
        return Page(items=[show_event(event) for event in page.items], next_cursor=page.next_cursor)

    @router.post(
        "/{record_id}/actions/verify",
        name="verify_record",
        responses=responses(Unauthenticated, Forbidden, NotFound, Conflict),
    )
    async def verify(record_id: RecordId, who: Who) -> VerificationOut:
        """Read every file of the record again now and check its object in the store. For operators."""
        who.require(Scope.OPERATOR)
        result = await fixity.verify_record(
            record_id, room.open_work, room.store, room.site, agent=principal_name(who)
        )
        return VerificationOut(
            record_id=record_id,
            checked_at=result.checked_at,
            files=len(result.files),
            damaged=[
                CheckedFile(
                    file=check.file,
                    expected_sha256=check.expected_sha256,
                    observed_sha256=check.observed_sha256,
                    problem=check.problem,
                )
                for check in result.files
                if check.problem is not None
            ],
            object_problems=result.object_problems,
        )

    return router
