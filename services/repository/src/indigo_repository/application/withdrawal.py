"""Taking a published record back; a tombstone stays, and so do the preserved bytes."""

from __future__ import annotations

from indigo_contracts.envelope import Actor
from indigo_contracts.repository import RecordWithdrawn
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope

from indigo_repository.application.access import owned_for_writing
from indigo_repository.application.snapshots import snapshot, subject
from indigo_repository.application.work import Work
from indigo_repository.domain.premis import EventType, PreservationEvent
from indigo_repository.domain.record import Record
from indigo_repository.domain.site import Site


async def withdraw_record(work: Work, record_id: str, reason: str, who: Principal, site: Site) -> Record:
    """Withdraw a record, as its owner or an operator."""
    if who.has(Scope.OPERATOR):
        record = await work.records.get(record_id, lock=True)
    else:
        record = await owned_for_writing(work, record_id, who)
    return await withdraw(work, record, reason, who.actor, site)


async def withdraw(work: Work, record: Record, reason: str, actor: Actor | None, site: Site) -> Record:
    """Withdraw a locked record."""
    record = record.withdrawn(reason, work.now)
    await work.records.save(record)
    agent = f"{actor.iss}#{actor.sub}" if actor else site.base_url
    await work.events.add(PreservationEvent(record.id, EventType.DEACCESSION, work.now, "success", reason, agent))
    files = await work.files.of(record.id)
    work.emit(
        RecordWithdrawn(record=snapshot(record, files, site), reason=reason, actor=actor),
        subject=subject(record.id),
        version=record.version,
    )
    return record
