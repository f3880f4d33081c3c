"""A record as the facts tell it."""

from __future__ import annotations

from collections.abc import Sequence

from indigo_contracts.envelope import Actor
from indigo_contracts.repository import (
    RecordFile,
    RecordPublished,
    RecordReserved,
    RecordSnapshot,
    RecordUpdated,
)

from indigo_repository.application.work import Work
from indigo_repository.domain.files import File
from indigo_repository.domain.record import Record
from indigo_repository.domain.site import Site


def snapshot(record: Record, files: Sequence[File], site: Site) -> RecordSnapshot:
    """The record with its committed files; of a draft the addresses are those it will have."""
    meta = record.metadata
    return RecordSnapshot(
        record_id=record.id,
        kind=record.kind,
        state=record.state,
        version=record.version,
        edition=record.edition,
        previous=record.previous,
        title=meta.title or "",
        description=meta.description,
        creators=list(meta.creators),
        publisher=meta.publisher or site.publisher,
        publication_date=meta.publication_date,
        language=meta.language,
        keywords=list(meta.keywords),
        license=meta.license,
        access=meta.access,
        url=site.landing(record.id),
        api_url=site.api(record.id),
        files=[
            RecordFile(
                key=file.key,
                size=file.size,
                sha256=file.sha256,
                mimetype=file.mimetype,
                url=site.content(record.id, file.key),
            )
            for file in files
            if file.size is not None and file.sha256 is not None
        ],
        identifiers=record.identifiers,
        plan=record.plan,
    )


def subject(record_id: str) -> str:
    """Subject of the facts about a record."""
    return f"records/{record_id}"


async def state_fact(
    work: Work,
    fact: type[RecordReserved | RecordPublished | RecordUpdated],
    record: Record,
    site: Site,
    actor: Actor | None,
) -> None:
    """State a fact whose payload is the record as it is now."""
    files = await work.files.of(record.id)
    work.emit(
        fact(record=snapshot(record, files, site), actor=actor), subject=subject(record.id), version=record.version
    )
