"""What a published plan brings about: its own preserved record, and a reserved draft per promised output."""

from __future__ import annotations

import asyncio
import json

import structlog
from indigo_contracts.dmp import Person, PlannedOutput, PlanSnapshot
from indigo_contracts.envelope import Actor
from indigo_contracts.repository import PlanLink, RecordKind, RecordReserved, RecordState
from indigo_kernel.ids import new_id

from indigo_repository.application import publication
from indigo_repository.application.drafts import new_record
from indigo_repository.application.ports import Staging
from indigo_repository.application.snapshots import state_fact
from indigo_repository.application.withdrawal import withdraw
from indigo_repository.application.work import Work
from indigo_repository.domain.files import File, FileState
from indigo_repository.domain.plan import PlanEdition
from indigo_repository.domain.record import Metadata, Record
from indigo_repository.domain.site import Site

log = structlog.get_logger()

PLAN_FILE = "plan.json"


async def take_plan(work: Work, staging: Staging, plan: PlanSnapshot, owner: Actor | None, site: Site) -> None:
    """Open what a published edition promises. An edition that is not newer than the known one changes nothing."""
    known = await work.plans.get(plan.plan_id)
    if known is not None and known.version >= plan.version:
        log.info("plan.older_edition_ignored", plan_id=plan.plan_id, edition=plan.edition)
        return
    owner = owner or (known.owner if known else None)
    await work.plans.put(
        PlanEdition(plan.plan_id, plan.version, plan.edition, withdrawn=False, owner=owner, url=plan.url)
    )
    await _deposit_plan(work, staging, plan, owner)
    for output in plan.outputs:
        await _reserve(work, plan, output, owner, site)


async def take_withdrawal(work: Work, plan: PlanSnapshot, reason: str, actor: Actor | None, site: Site) -> None:
    """Withdraw the records of the plan itself; what was deposited for its outputs is not the plan's."""
    known = await work.plans.get(plan.plan_id)
    if known is not None and (known.withdrawn or known.version >= plan.version):
        return
    owner = known.owner if known else actor
    await work.plans.put(
        PlanEdition(plan.plan_id, plan.version, plan.edition, withdrawn=True, owner=owner, url=plan.url)
    )
    for record in await work.records.of_plan(plan.plan_id):
        if record.state is RecordState.PUBLISHED:
            await withdraw(work, record, reason, actor, site)
        # A draft is being published by its job, which sees that the plan is withdrawn.


async def _deposit_plan(work: Work, staging: Staging, plan: PlanSnapshot, owner: Actor | None) -> None:
    """Draft the record of this edition with its document, closed, and leave its publication to the job."""
    chain = await work.records.of_plan(plan.plan_id)
    if any(record.plan is not None and record.plan.edition == plan.edition for record in chain):
        return
    people = [plan.contact, *plan.contributors]
    metadata = Metadata(
        title=plan.title,
        description=plan.description,
        creators=tuple(_distinct(people)),
        publication_date=(plan.published_at or plan.modified).date(),
        language=plan.language,
        formats=("application/json",),
    )
    record = new_record(
        work,
        kind=RecordKind.DMP,
        metadata=metadata,
        owner=owner,
        plan=PlanLink(plan_id=plan.plan_id, edition=plan.edition),
        prefilled=True,
        previous=chain[-1] if chain else None,
    )
    document = json.dumps(plan.madmp, ensure_ascii=False, indent=2, sort_keys=True).encode() + b"\n"
    file = await asyncio.to_thread(_stage, staging, document, record)
    record = record.frozen_for(new_id(), [file], work.now)
    await work.records.add(record)
    await work.files.add([file])
    await work.enqueue(publication.JOB, record.id, {})


def _stage(staging: Staging, document: bytes, record: Record) -> File:
    upload = staging.receive()
    try:
        upload.write(document)
        digests = upload.finish()
    finally:
        upload.discard()
    return File(
        record.id,
        PLAN_FILE,
        FileState.COMPLETED,
        "application/json",
        created_at=record.created_at,
        blob=upload.blob,
        size=digests.size,
        sha512=digests.sha512,
        sha256=digests.sha256,
        md5=digests.md5,
    )


async def _reserve(work: Work, plan: PlanSnapshot, output: PlannedOutput, owner: Actor | None, site: Site) -> None:
    """Open the draft of an output, or bring it up to this edition of the plan while nobody has edited it."""
    link = PlanLink(plan_id=plan.plan_id, edition=plan.edition, output=output.key)
    metadata = _described(plan, output)
    record = await work.records.of_output(plan.plan_id, output.key)
    if record is None:
        record = new_record(
            work, kind=RecordKind(output.kind.value), metadata=metadata, owner=owner, plan=link, prefilled=True
        )
        await work.records.add(record)
        await state_fact(work, RecordReserved, record, site, owner)
    elif record.state is RecordState.DRAFT and not record.frozen:
        record = record.changed(work.now, plan=link, metadata=metadata if record.prefilled else record.metadata)
        await work.records.save(record)


def _described(plan: PlanSnapshot, output: PlannedOutput) -> Metadata:
    creators = output.creators or [plan.contact]
    return Metadata(
        title=output.title,
        description=output.description,
        creators=tuple(_distinct(creators)),
        language=output.language or plan.language,
        keywords=tuple(output.keywords),
        license=output.license,
        access=output.access,
        formats=tuple(output.formats),
    )


def _distinct(people: list[Person]) -> list[Person]:
    """Each person once: the contact of a plan is often a contributor, too. Mail addresses are not passed on."""
    seen: dict[str, Person] = {}
    for person in people:
        seen.setdefault(person.identifier or person.name, person.model_copy(update={"email": None}))
    return list(seen.values())
