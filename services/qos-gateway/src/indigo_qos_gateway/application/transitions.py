"""Requests for another storage class, and what became of them."""

from __future__ import annotations

from indigo_contracts.envelope import Actor
from indigo_contracts.qos import (
    TransitionCancelled,
    TransitionCompleted,
    TransitionFailed,
    TransitionRequested,
    TransitionSnapshot,
    TransitionState,
)
from indigo_contracts.repository import PlanLink, RecordSnapshot
from indigo_kernel.ids import new_id
from indigo_kernel.problems import Conflict, NotFound

from indigo_qos_gateway.application.mounts import Mount, MountTable, record_of
from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.domain.errors import UnknownClass
from indigo_qos_gateway.domain.storage import ObjectType, Status
from indigo_qos_gateway.domain.transition import Transition

JOB = "transition"

_FACTS = {
    TransitionState.SUBMITTED: TransitionRequested,
    TransitionState.COMPLETED: TransitionCompleted,
    TransitionState.FAILED: TransitionFailed,
    TransitionState.CANCELLED: TransitionCancelled,
}


async def request_transition(
    work: Work, mount: Mount, status: Status, target: str, actor: Actor | None
) -> Transition | None:
    """Have what ``status`` is about brought to the class ``target``; a container with everything in it.

    The transition that does so: a new one, or one under way to the same class that covers the path. ``None``
    when a data object is at the class already. Raises ``UnknownClass``, or ``Conflict`` while a transition to
    another class is under way.
    """
    if not mount.offers(status.object_type, target):
        raise UnknownClass(
            f"{mount.backend.name} has no class {target} for a {status.object_type} at {status.path}"
        )
    record_id = record_of(mount, status.path)
    record = await work.records.find(record_id) if record_id else None
    plan = await _link(work, record) if record else None
    await work.alone("transitions")
    under_way = await moving(work, mount, status.path)
    if under_way is not None:
        if under_way.target_class == target:
            return under_way
        raise Conflict(
            f"{under_way.path} is on its way to {under_way.target_class}; cancel that first",
            transition_id=under_way.id,
        )
    if status.object_type is ObjectType.DATAOBJECT and status.storage_class == target:
        return None
    new = Transition(
        id=new_id(),
        path=status.path,
        object_type=status.object_type,
        backend=mount.backend.name,
        source_backend=mount.holder(status.object_type, status.storage_class),
        target_backend=mount.holder(status.object_type, target),
        source_class=status.storage_class,
        target_class=target,
        requested_at=work.now,
        record_id=record.record_id if record else None,
        plan=plan,
    )
    await submit(work, new, actor)
    return new


async def _link(work: Work, record: RecordSnapshot) -> PlanLink | None:
    """The plan the change has to do with, in the edition whose promises count; nobody places meanwhile."""
    if record.plan is None:
        return None
    await work.alone(plan_lock(record.plan.plan_id))
    promises = await work.plans.find(record.plan.plan_id)
    return promises.link(record.plan.output) if promises and record.plan.output else record.plan


def plan_lock(plan_id: str) -> str:
    """The key of the lock under which records of a plan are placed."""
    return f"plan {plan_id}"


async def submit(work: Work, new: Transition, actor: Actor | None = None) -> None:
    """Store a new transition, tell it, and have a worker carry it out."""
    await work.transitions.add(new)
    state_fact(work, new, actor)
    await work.enqueue(JOB, new.id, {"transition_id": new.id})


async def refuse(work: Work, new: Transition, reason: str) -> None:
    """Store a transition that cannot be carried out, so that whoever was promised it learns why."""
    failed = new.fail(work.now, reason)
    await work.transitions.add(failed)
    state_fact(work, new)
    state_fact(work, failed)


def record_transition(
    work: Work, container: str, backend: str, target: str, record_id: str, plan: PlanLink
) -> Transition:
    """A transition that makes, or moves, the preservation copy of a record."""
    return Transition(
        id=new_id(),
        path=container,
        object_type=ObjectType.CONTAINER,
        backend=backend,
        target_class=target,
        requested_at=work.now,
        record_id=record_id,
        plan=plan,
    )


async def moving(work: Work, mount: Mount, path: str) -> Transition | None:
    """The transition under way that covers ``path``: its own, or that of a container of its mount it is in."""
    under_way = await work.transitions.active_among(mount.lineage(path))
    return under_way[0] if under_way else None


async def get_transition(work: Work, transition_id: str, *, for_update: bool = False) -> Transition:
    """Raises ``NotFound``."""
    found = await work.transitions.get(transition_id, for_update=for_update)
    if found is None:
        raise NotFound(f"There is no transition {transition_id}")
    return found


async def cancel_transition(work: Work, transition_id: str, actor: Actor | None) -> Transition:
    """Cancel what did not start; have the worker stop what did. Asking twice is the same as asking once.

    Raises ``NotFound``, or ``Conflict`` when it is over.
    """
    transition = await get_transition(work, transition_id, for_update=True)
    if transition.state is TransitionState.CANCELLED:
        return transition
    if transition.state is TransitionState.SUBMITTED:
        transition = transition.cancel(work.now)
        state_fact(work, transition, actor)
    else:
        transition = transition.ask_to_cancel()
        await work.enqueue(JOB, transition.id, {"transition_id": transition.id})
    await work.transitions.save(transition)
    return transition


async def bytes_of(work: Work, mounts: MountTable, transition: Transition) -> tuple[int, int | None]:
    """How many bytes are where a transition brings them, or on the way there, and how many there are."""
    done, total = transition.bytes_done, transition.bytes_total
    if transition.active:
        copied, coming = await work.places.relocated(transition.path, mounts.part(transition.path))
        done, total = done + copied, total if total is not None else (coming or None)
    return done, total


def state_fact(work: Work, transition: Transition, actor: Actor | None = None) -> None:
    """Tell the state the transition came to."""
    snapshot: TransitionSnapshot = transition.snapshot()
    fact = _FACTS[transition.state](transition=snapshot, actor=actor)
    work.emit(fact, subject=transition.subject, version=transition.version)
