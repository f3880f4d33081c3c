"""Drafts: begin, edit, discard."""

from __future__ import annotations

from collections.abc import Callable

from indigo_contracts.envelope import Actor
from indigo_contracts.repository import Identifiers, PlanLink, RecordDiscarded, RecordKind, RecordState
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.ids import new_id

from indigo_repository.application.access import draft_for_writing
from indigo_repository.application.snapshots import snapshot, subject
from indigo_repository.application.work import Work
from indigo_repository.domain.record import Metadata, Record
from indigo_repository.domain.site import Site


def new_record(
    work: Work,
    *,
    kind: RecordKind,
    metadata: Metadata,
    owner: Actor | None,
    plan: PlanLink | None = None,
    prefilled: bool = False,
    previous: Record | None = None,
) -> Record:
    """A draft that is not stored yet: the first of a chain, or the one after ``previous``."""
    record_id = new_id()
    return Record(
        id=record_id,
        object_id=previous.object_id if previous else f"urn:uuid:{record_id}",
        edition=previous.edition + 1 if previous else 1,
        previous=previous.id if previous else None,
        kind=kind,
        state=RecordState.DRAFT,
        version=1,
        owner=owner,
        metadata=metadata,
        plan=plan,
        identifiers=Identifiers(),
        prefilled=prefilled,
        created_at=work.now,
        updated_at=work.now,
    )


async def create_draft(work: Work, kind: RecordKind, metadata: Metadata, who: Principal) -> Record:
    """A new draft of ``who``."""
    who.require(Scope.REPOSITORY_WRITE)
    record = new_record(work, kind=kind, metadata=metadata, owner=who.actor)
    await work.records.add(record)
    return record


async def update_draft(
    work: Work, record_id: str, metadata: Metadata, who: Principal, check: Callable[[int], None]
) -> Record:
    """Replace the metadata of a draft. ``check`` raises when the draft's version is not the expected one."""
    record = await draft_for_writing(work, record_id, who)
    check(record.version)
    record = record.edited(metadata, work.now)
    await work.records.save(record)
    return record


async def delete_draft(
    work: Work, record_id: str, who: Principal, check: Callable[[int], None], site: Site
) -> list[str]:
    """Discard a draft with its files. The names of the staged blobs, to remove after the commit.

    Whoever was told that it is reserved for something a plan promises is told that it is gone.
    """
    record = await draft_for_writing(work, record_id, who)
    check(record.version)
    files = await work.files.of(record_id)
    if record.plan is not None:
        gone = record.changed(work.now)
        fact = RecordDiscarded(record=snapshot(gone, files, site), actor=who.actor)
        work.emit(fact, subject=subject(record_id), version=gone.version)
    await work.records.remove(record_id)
    return [file.blob for file in files if file.blob]
