"""Promises about storage meet the records that answer to them: in any order, from any edition."""

from __future__ import annotations

from indigo_contracts.dmp import PlanSnapshot
from indigo_contracts.repository import RecordSnapshot

from indigo_qos_gateway.application.mounts import MountTable, record_container
from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.application.transitions import (
    cancel_transition,
    plan_lock,
    record_transition,
    refuse,
    submit,
)
from indigo_qos_gateway.domain.errors import Impossible
from indigo_qos_gateway.domain.paths import ROOT
from indigo_qos_gateway.domain.placement import PlanPromises, is_due
from indigo_qos_gateway.domain.transition import Transition


async def note_plan(work: Work, mounts: MountTable, plan: PlanSnapshot) -> None:
    """Keep what a published edition promises, and place every record it changes something for."""
    promises = PlanPromises(
        plan_id=plan.plan_id,
        edition=plan.edition,
        version=plan.version,
        outputs={output.key: output.storage for output in plan.outputs if output.storage is not None},
    )
    await work.alone(plan_lock(plan.plan_id))
    if not promises.newer_than(await work.plans.find(plan.plan_id)):
        return
    await work.plans.save(promises)
    for record in await work.records.of_plan(plan.plan_id):
        await _place(work, mounts, record, promises)


async def note_record(work: Work, mounts: MountTable, record: RecordSnapshot) -> None:
    """Keep a published record of a plan's output, and place it when the plan's promise is known."""
    if record.plan is None or record.plan.output is None:
        return
    await work.alone(plan_lock(record.plan.plan_id))
    known = await work.records.find(record.record_id)
    if known is not None and known.version >= record.version:
        return
    await work.records.save(record)
    promises = await work.plans.find(record.plan.plan_id)
    if promises is not None:
        await _place(work, mounts, record, promises)


async def place_again(work: Work, mounts: MountTable, ended: Transition) -> None:
    """When a record's transition is over: is another one due, because a later edition promises something else?

    What somebody asked for on purpose is left as it is; the ledger tells that it is not as promised.
    """
    if ended.record_id is None or ended.plan is None:
        return
    record = await work.records.find(ended.record_id)
    promises = await work.plans.find(ended.plan.plan_id)
    if record is not None and promises is not None and promises.edition > ended.plan.edition:
        await _place(work, mounts, record, promises)


async def _place(work: Work, mounts: MountTable, record: RecordSnapshot, promises: PlanPromises) -> None:
    output = record.plan.output if record.plan else None
    promise = promises.outputs.get(output) if output else None
    if output is None or promise is None:
        return
    last = await work.transitions.last_of_record(record.record_id)
    if last is not None and last.active and last.target_class != promise.storage_class:
        # Its end asks again what is due.
        await cancel_transition(work, last.id, None)
        last = await work.transitions.last_of_record(record.record_id)
    if not is_due(promise, promises.edition, last):
        return
    link = promises.link(output)
    wanted = promise.storage_class
    try:
        mount = mounts.for_promise(promise)
    except Impossible as error:
        nowhere = mounts.at(ROOT)
        path = record_container(nowhere, record.record_id)
        new = record_transition(work, path, nowhere.backend.name, wanted, record.record_id, link)
        await refuse(work, new, str(error))
        return
    path = record_container(mount, record.record_id)
    await submit(work, record_transition(work, path, mount.backend.name, wanted, record.record_id, link))
