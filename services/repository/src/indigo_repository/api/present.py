"""Records, files and events as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from indigo_contracts.repository import RecordState

from indigo_repository.api.schemas import (
    AccessOut,
    FileOut,
    FilesSummary,
    MetadataOut,
    PidOut,
    PremisEvent,
    RecordOut,
    TestOut,
    VersionsOut,
)
from indigo_repository.application.work import Work
from indigo_repository.domain.files import File
from indigo_repository.domain.premis import PreservationEvent
from indigo_repository.domain.record import Record, missing_for_publication
from indigo_repository.domain.site import Site

_STATUS: dict[RecordState, Literal["draft", "published", "withdrawn"]] = {
    RecordState.DRAFT: "draft",
    RecordState.PUBLISHED: "published",
    RecordState.WITHDRAWN: "withdrawn",
}


async def show_record(work: Work, record: Record, site: Site) -> RecordOut:
    """A record with its tests; a draft with what its publication still needs."""
    if record.state is RecordState.DRAFT:
        files = await work.files.of(record.id)
        shown = _record(record, (len(files), sum(file.size or 0 for file in files)), site, is_latest=True)
        shown.errors = missing_for_publication(record.kind, record.metadata, files)
        return shown
    totals = (await work.files.totals([record.id])).get(record.id, (0, 0))
    shown = _record(record, totals, site, is_latest=not await work.records.superseded([record]))
    shown.tests = [
        TestOut(
            test=result.test,
            level=result.level,
            title=result.title,
            verdict=result.verdict,
            summary=result.summary,
            finished_at=result.finished_at,
            report_url=result.report_url,
        )
        for result in await work.results.of(record.id)
    ]
    return shown


async def show_records(work: Work, records: Sequence[Record], site: Site) -> list[RecordOut]:
    """Records of a listing, without their tests."""
    totals = await work.files.totals([record.id for record in records])
    superseded = await work.records.superseded(records)
    return [
        _record(
            record,
            totals.get(record.id, (0, 0)),
            site,
            is_latest=record.id not in superseded,
        )
        for record in records
    ]


def _record(record: Record, totals: tuple[int, int], site: Site, *, is_latest: bool) -> RecordOut:
    meta = record.metadata
    ids = record.identifiers
    pids = {"doi": ids.doi, "handle": ids.handle, "ark": ids.ark}
    return RecordOut(
        id=record.id,
        kind=record.kind,
        status=_STATUS[record.state],
        is_published=record.state is RecordState.PUBLISHED,
        is_draft=record.state is RecordState.DRAFT,
        revision_id=record.version,
        created=record.created_at,
        updated=record.updated_at,
        metadata=MetadataOut(
            title=meta.title,
            description=meta.description,
            creators=list(meta.creators),
            publisher=meta.publisher or site.publisher,
            publication_date=meta.publication_date,
            language=meta.language,
            keywords=list(meta.keywords),
            license=meta.license,
            access=meta.access,
            formats=list(meta.formats),
        ),
        access=AccessOut(files="public" if meta.access == "open" else "restricted", status=meta.access),
        files=FilesSummary(count=totals[0], total_bytes=totals[1]),
        pids={name: PidOut(identifier=value) for name, value in pids.items() if value},
        versions=VersionsOut(index=record.edition, is_latest=is_latest, previous=record.previous),
        plan=record.plan,
        tests=[],
        links=_links(record, site),
    )


def _links(record: Record, site: Site) -> dict[str, str]:
    if record.state is RecordState.DRAFT:
        draft = site.draft(record.id)
        return {"self": draft, "files": f"{draft}/files", "publish": f"{draft}/actions/publish"}
    api = site.api(record.id)
    return {
        "self": api,
        "self_html": site.landing(record.id),
        "files": f"{api}/files",
        "premis": f"{api}/premis",
    }


def show_file(file: File, site: Site, *, draft: bool) -> FileOut:
    if draft:
        own = site.draft_file(file.record_id, file.key)
        links = {"self": own, "content": f"{own}/content", "commit": f"{own}/commit"}
    else:
        content = site.content(file.record_id, file.key)
        links = {"self": content.removesuffix("/content"), "content": content}
    return FileOut(
        key=file.key,
        status=file.state.value,
        size=file.size,
        mimetype=file.mimetype,
        checksum=f"md5:{file.md5}" if file.md5 else None,
        sha256=file.sha256,
        sha512=file.sha512,
        damage=file.damage,
        checked_at=file.checked_at,
        links=links,
    )


def show_event(event: PreservationEvent) -> PremisEvent:
    return PremisEvent(
        event_identifier=str(event.id),
        event_type=event.type.uri,
        event_type_label=event.type.label,
        event_date_time=event.at,
        event_detail=event.detail,
        event_outcome=event.outcome,
        event_outcome_detail=event.summary,
        linking_agent=event.agent,
        linking_objects=list(event.files) or [event.record_id],
    )
