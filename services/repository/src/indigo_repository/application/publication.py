"""From a draft to a preserved, public record, in three steps that each may be repeated.

1. ``begin``: a transaction freezes the draft and records a job that resumes the publication if this process dies.
2. ``preserve``: the version is written to the store, read back and compared; writing it again changes nothing.
3. ``complete``: a transaction makes the record public and states it.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta

from indigo_contracts.envelope import Actor
from indigo_contracts.repository import RecordKind, RecordPublished, RecordState
from indigo_kernel.auth.principal import Principal
from indigo_kernel.db.jobs import Later
from indigo_kernel.ids import new_id
from indigo_kernel.problems import Conflict

from indigo_repository.application.access import owned_for_writing
from indigo_repository.application.ports import Digests, NewFile, NewVersion, Preservation, Staging
from indigo_repository.application.snapshots import snapshot, state_fact
from indigo_repository.application.withdrawal import withdraw
from indigo_repository.application.work import OpenWork, Work
from indigo_repository.domain.errors import StorageFault, StorageFull, StorageUncertain
from indigo_repository.domain.files import File
from indigo_repository.domain.premis import EventType, PreservationEvent
from indigo_repository.domain.record import Record
from indigo_repository.domain.site import Site

JOB = "publish"
RESUME_AFTER = timedelta(minutes=2)
"""When the job takes a publication up; one that lives needs no help, and both at once do no harm."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication that has begun: the frozen draft and its files."""

    record: Record
    files: list[File]

    @property
    def blobs(self) -> list[str]:
        return [file.blob for file in self.files if file.blob]


async def begin(work: Work, record_id: str, who: Principal) -> Publication | None:
    """Freeze a draft of ``who``; None when it is published already.

    Raises ``InvalidBody`` with everything that is missing.
    """
    record = await owned_for_writing(work, record_id, who)
    if record.state is RecordState.PUBLISHED:
        return None
    files = await work.files.of(record_id)
    if not record.frozen:
        record = record.frozen_for(new_id(), files, work.now)
        await work.records.save(record)
        await work.enqueue(JOB, record.id, {}, run_at=work.now + RESUME_AFTER)
    return Publication(record, files)


async def preserve(
    publication: Publication, open_work: OpenWork, store: Preservation, staging: Staging, site: Site
) -> dict[str, str]:
    """Write the record's version to the store; file key → content path.

    When the storage is full or faulty and the version is not there, the draft is open again.
    """
    version = _version(publication, staging, site)
    try:
        return await asyncio.to_thread(store.write, version)
    except StorageUncertain:
        raise
    except (StorageFull, StorageFault):
        async with open_work() as work:
            record = await work.records.get(publication.record.id, lock=True)
            if record.frozen:
                await work.records.save(record.thawed(work.now))
        raise


async def complete(work: Work, publication: Publication, paths: dict[str, str], site: Site) -> Record:
    """Make the record public. Completing the same publication again changes nothing."""
    record = await work.records.get(publication.record.id, lock=True)
    if record.publication != publication.record.publication:
        raise Conflict("The record was published or changed in the meantime")
    if record.state is not RecordState.DRAFT:
        return record
    record = record.published(work.now)
    await work.records.save(record)
    await work.files.preserved(record.id, paths)
    await work.events.add(
        PreservationEvent(
            record.id,
            EventType.INGESTION,
            work.now,
            "success",
            "Written to the preservation store, read back and compared",
            site.base_url,
            detail={"object_id": record.object_id, "version": f"v{record.edition}", "files": len(paths)},
        )
    )
    await state_fact(work, RecordPublished, record, site, record.owner)
    if record.kind is RecordKind.DMP and record.plan is not None:
        plan = await work.plans.get(record.plan.plan_id)
        if plan is not None and plan.withdrawn:  # while the plan was being preserved
            record = await withdraw(work, record, "The plan was withdrawn", record.owner, site)
    return record


async def resume(record_id: str, open_work: OpenWork, store: Preservation, staging: Staging, site: Site) -> None:
    """End a publication that has begun; nothing to do when it has ended. Raises ``Later`` before its turn."""
    async with open_work() as work:
        found = await work.records.find(record_id)
        if found is None or not found.frozen:
            return
        if found.previous is not None:
            previous = await work.records.get(found.previous)
            if previous.state is RecordState.DRAFT:
                raise Later(timedelta(seconds=1), "the version before it is not published yet")
        publication = Publication(found, await work.files.of(record_id))
    paths = await asyncio.to_thread(store.write, _version(publication, staging, site))
    async with open_work() as work:
        await complete(work, publication, paths, site)
    await remove_blobs(staging, publication.blobs)


async def remove_blobs(staging: Staging, blobs: list[str]) -> None:
    """Remove staged files nobody needs any more."""

    def remove() -> None:
        for blob in blobs:
            staging.remove(blob)

    await asyncio.to_thread(remove)


def _version(publication: Publication, staging: Staging, site: Site) -> NewVersion:
    record = publication.record
    files = []
    for file in publication.files:
        assert file.blob is not None
        assert file.size is not None
        assert file.sha512 is not None
        assert file.sha256 is not None
        assert file.md5 is not None
        digests = Digests(file.size, file.sha512, file.sha256, file.md5)
        files.append(NewFile(file.key, staging.path(file.blob), digests))
    described = snapshot(record, publication.files, site).model_dump(mode="json", exclude_none=True)
    described["state"] = RecordState.PUBLISHED.value
    owner = record.owner or Actor(iss=site.base_url, sub="repository")
    return NewVersion(
        object_id=record.object_id,
        number=record.edition,
        files=files,
        metadata=json.dumps(described, ensure_ascii=False, indent=1, sort_keys=True).encode(),
        message=f"Publication of record {record.id}",
        user=owner.sub,
        user_uri=owner.iss,
        created=record.updated_at,
    )
