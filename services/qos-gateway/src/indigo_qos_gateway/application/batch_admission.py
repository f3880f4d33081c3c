"""What is to be done about each target of a batch, decided from what its storage says now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from indigo_contracts.envelope import Actor
from indigo_contracts.qos import Locality, TransitionState
from indigo_contracts.repository import PlanLink, RecordSnapshot
from indigo_kernel.ids import new_id

from indigo_qos_gateway.application.mounts import Mount, record_of
from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.application.staging import PINS
from indigo_qos_gateway.application.transitions import JOB, plan_lock, state_fact
from indigo_qos_gateway.domain.batch import Batch, BatchKind, Loan, Target, latency, staged_class
from indigo_qos_gateway.domain.storage import ObjectType, Status
from indigo_qos_gateway.domain.transition import ACTIVE, Transition


@dataclass(frozen=True, slots=True)
class Seen:
    """A target with what was observed at its path; ``error`` when it could not be."""

    target: Target
    mount: Mount
    status: Status | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """What became of targets that were taken up: those this request carries out, and how many wait for others."""

    mine: Sequence[tuple[Target, Transition]]
    waiting: int


async def admit(work: Work, batch: Batch, seen: Sequence[Seen]) -> Admitted:
    """Make transitions of those targets that need one, in a handful of statements for all of them.

    A path that is on its way to the class already is joined to that transition. One on its way to another class
    fails in a bulk request, and waits in the others.
    """
    links = await _links(work, seen)
    await work.alone("transitions")
    paths = [each.target.path for each in seen]
    covering = {path for each in seen for path in each.mount.lineage(each.target.path)}
    under_way = {each.path: each for each in await work.transitions.active_among(sorted(covering))}
    wanted = await work.batches.still_submitted(batch.id, [each.target.position for each in seen])
    loans = await work.batches.loans(paths) if batch.kind is BatchKind.STAGE else {}
    if batch.kind is BatchKind.RETURN:
        await work.alone(PINS)  # so that a pin that ends just now is seen, or sees what is decided here
    pinned = await work.batches.pinned(paths) if batch.kind is BatchKind.RETURN else set()
    targets: list[Target] = []
    new: list[Transition] = []
    mine: list[tuple[Target, Transition]] = []
    for each in seen:
        if each.target.position not in wanted:
            continue
        if each.target.path in pinned:
            targets.append(_kept(work, each.target))
            continue
        decided = _decide(work, batch, each, loans, _covering(each, under_way))
        if decided.state is TransitionState.SUBMITTED and decided.target_class is not None:
            decided, made = _join_or_make(work, batch, each, decided, under_way, links)
            if made is not None:
                new.append(made)
                under_way[made.path] = made
                if made.batch_id is not None:
                    mine.append((decided, made.start(work.now, made.source_class)))
        targets.append(decided)
    actor = Actor(iss=batch.owner[0], sub=batch.owner[1]) if batch.owner[0] else None
    for transition in new:
        state_fact(work, transition, actor)
        if transition.object_type is ObjectType.CONTAINER:
            await work.enqueue(JOB, transition.id, {"transition_id": transition.id})
    started = {each.id: each for _, each in mine}
    await work.transitions.add(*(started.get(each.id, each) for each in new))
    await work.batches.save(batch.id, targets)
    return Admitted(mine, sum(each.state in ACTIVE for each in targets) - len(mine))


def _kept(work: Work, target: Target) -> Target:
    """The target of a file somebody needs on disk again: it stays there, and the loan goes on."""
    over = target.over(TransitionState.CANCELLED, work.now, "it is needed on disk again")
    return replace(over, target_class=target.expected_class, home_class=target.target_class)


def _covering(seen: Seen, under_way: Mapping[str, Transition]) -> Transition | None:
    return next((under_way[path] for path in seen.mount.lineage(seen.target.path) if path in under_way), None)


def _leaves_disk(seen: Seen, status: Status, covering: Transition | None) -> bool:
    """Whether it is on its way to a class that answers later than the one it is at."""
    offered = {
        each.name: each for each in seen.mount.backend.classes() if each.object_type is ObjectType.DATAOBJECT
    }
    here = offered.get(status.storage_class)
    there = offered.get(covering.target_class) if covering is not None else None
    return here is not None and there is not None and latency(there) > latency(here)


def _decide(
    work: Work, batch: Batch, seen: Seen, loans: Mapping[str, Loan], covering: Transition | None
) -> Target:
    """The target at its end, or still submitted: with the class it has to come to, or none while it waits."""
    target, status = seen.target, seen.status

    def failed(error: str) -> Target:
        return target.over(TransitionState.FAILED, work.now, error)

    if status is None:
        return failed(seen.error or "nothing is known of it")
    wanted = target.target_class or batch.target_class
    if batch.kind is BatchKind.STAGE:
        if status.object_type is ObjectType.CONTAINER:
            return failed(f"{target.path} is a container")
        if status.locality in {Locality.LOST, Locality.UNAVAILABLE}:
            return failed(f"{target.path} is {status.locality.value}")
        if _leaves_disk(seen, status, covering):
            return target
        if status.readable or status.locality is Locality.NONE:
            loan = loans.get(target.path)
            home = loan.home_class if loan is not None and loan.target_class == status.storage_class else None
            at = replace(target, target_class=status.storage_class, home_class=home)
            return at.on_disk(work.now)
        wanted = staged_class(status, seen.mount.backend.classes())
        if wanted is None:
            return failed(f"{seen.mount.backend.name} has no class with a disk copy for {target.path}")
        target = replace(target, home_class=status.storage_class)
    assert wanted is not None, "a bulk request names its class"
    if target.expected_class is not None and status.storage_class != target.expected_class:
        return target.over(TransitionState.CANCELLED, work.now, f"it is at {status.storage_class} by now")
    if not seen.mount.offers(status.object_type, wanted):
        return failed(f"{seen.mount.backend.name} has no class {wanted} for a {status.object_type}")
    if status.storage_class == wanted and status.object_type is ObjectType.DATAOBJECT:
        return replace(target, target_class=wanted).over(TransitionState.COMPLETED, work.now)
    return replace(target, target_class=wanted)


def _join_or_make(
    work: Work,
    batch: Batch,
    seen: Seen,
    target: Target,
    under_way: Mapping[str, Transition],
    links: Mapping[str, tuple[RecordSnapshot, PlanLink | None]],
) -> tuple[Target, Transition | None]:
    covering = _covering(seen, under_way)
    if covering is not None:
        if covering.target_class == target.target_class:
            return _started(work, target, covering.id), None
        if batch.kind is BatchKind.BULK:
            error = f"{covering.path} is on its way to {covering.target_class}; cancel that first"
            return target.over(TransitionState.FAILED, work.now, error), None
        # waits until that is over; what is decided then depends on what it came to
        return replace(seen.target, attempts=seen.target.attempts), None
    status = seen.status
    assert status is not None
    assert target.target_class is not None
    record, link = links.get(target.path, (None, None))
    container = status.object_type is ObjectType.CONTAINER
    made = Transition(
        id=new_id(),
        path=target.path,
        object_type=status.object_type,
        backend=seen.mount.backend.name,
        source_backend=seen.mount.holder(status.object_type, status.storage_class),
        target_backend=seen.mount.holder(status.object_type, target.target_class),
        source_class=status.storage_class,
        target_class=target.target_class,
        requested_at=work.now,
        record_id=record.record_id if record else None,
        plan=link,
        batch_id=None if container else batch.id,
    )
    return _started(work, target, made.id), made


def _started(work: Work, target: Target, transition_id: str) -> Target:
    return replace(target, state=TransitionState.STARTED, transition_id=transition_id, started_at=work.now)


async def _links(work: Work, seen: Sequence[Seen]) -> dict[str, tuple[RecordSnapshot, PlanLink | None]]:
    """The record and the promise each path has to do with; nobody places those plans' records meanwhile."""
    of_record: dict[str, list[str]] = {}
    for each in seen:
        record_id = record_of(each.mount, each.target.path)
        if record_id is not None:
            of_record.setdefault(record_id, []).append(each.target.path)
    if not of_record:
        return {}
    records = await work.records.many(list(of_record))
    promised = {}
    for plan_id in sorted({record.plan.plan_id for record in records.values() if record.plan}):
        await work.alone(plan_lock(plan_id))
        promised[plan_id] = await work.plans.find(plan_id)
    links: dict[str, tuple[RecordSnapshot, PlanLink | None]] = {}
    for record_id, paths in of_record.items():
        record = records.get(record_id)
        if record is None:
            continue
        link = record.plan
        promises = promised.get(link.plan_id) if link else None
        if promises is not None and link is not None and link.output is not None:
            link = promises.link(link.output)
        links |= dict.fromkeys(paths, (record, link))
    return links
