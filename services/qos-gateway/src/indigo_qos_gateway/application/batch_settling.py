"""Tells how targets of a batch ended, any number of them in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from indigo_contracts.qos import PlacedObject, TransitionState

from indigo_qos_gateway.application.lifetimes import Placed, Timers
from indigo_qos_gateway.application.mounts import MountTable
from indigo_qos_gateway.application.placement import place_again
from indigo_qos_gateway.application.ports import NewWork, Work
from indigo_qos_gateway.application.relocating import abandon
from indigo_qos_gateway.application.staging import PINS, send_home
from indigo_qos_gateway.application.transitions import plan_lock, state_fact
from indigo_qos_gateway.domain.batch import Batch, BatchKind, Target
from indigo_qos_gateway.domain.transition import Transition


@dataclass(slots=True)
class Ended:
    """How one target ended. ``remembered`` tells that the back-end's name of its step is stored."""

    target: Target
    transition: Transition | None
    state: TransitionState
    error: str | None = None
    objects: Sequence[PlacedObject] = ()
    provided: dict[str, object] = field(default_factory=dict)
    remembered: bool = False


@dataclass(frozen=True, slots=True)
class Settler:
    """What it takes to tell the ends of targets."""

    work: NewWork
    mounts: MountTable
    timers: Timers

    async def settle(self, batch: Batch, ended: Sequence[Ended]) -> None:
        """Tell how these ended, in one transaction."""
        if not ended:
            return
        async with self.work() as work:
            mine = [
                each.transition
                for each in ended
                if each.transition is not None and each.transition.batch_id == batch.id
            ]
            # The plans' locks come before the rows', as when a plan is published.
            for plan_id in sorted({each.plan.plan_id for each in mine if each.plan}):
                await work.alone(plan_lock(plan_id))
            current = await _current(work, mine)
            stored = await work.objects.checksums([placed.path for each in ended for placed in each.objects])
            over: list[Transition] = []
            targets: list[Target] = []
            stopped = set()
            if batch.kind is BatchKind.STAGE:
                stopped = await work.batches.stopped(batch.id, [each.target.position for each in ended])
            for each in ended:
                known = current.get(each.transition.id) if each.transition else None
                _check_stored(each, stored)
                if known is not None and known.active:
                    known = _end(each, known, work.now)
                    over.append(known)
                wanted = each.target.position not in stopped
                targets.append(_end_of_target(batch, each, known, work.now, wanted=wanted))
            await work.transitions.save(*over)
            given_up = [each.path for each in over if each.state is not TransitionState.COMPLETED]
            await abandon(work, await work.places.relocations(given_up))
            for transition in over:
                state_fact(work, transition)
            await work.objects.associate(
                [each.path for each in over if each.state is TransitionState.COMPLETED], work.now
            )
            there = [each for one in over if one.state is TransitionState.COMPLETED for each in one.objects]
            await self.timers.arm(work, [Placed(each.path, each.storage_class, each.size) for each in there])
            await work.batches.save(batch.id, targets)
            await self._follow(work, batch, targets, over)

    async def _follow(
        self, work: Work, batch: Batch, targets: Sequence[Target], over: Sequence[Transition]
    ) -> None:
        """What comes after: pins begin, loans end, later editions of plans are placed."""
        if batch.kind is BatchKind.STAGE:
            await keep_pins(work)
            await send_home(work, [each.path for each in targets if each.state is not TransitionState.COMPLETED])
        for transition in {each.record_id: each for each in over if each.record_id}.values():
            await place_again(work, self.mounts, transition)


async def _current(work: Work, known: Sequence[Transition]) -> dict[str, Transition]:
    """The transitions as they are now, until this transaction ends; only those somebody changed are read anew."""
    versions = await work.transitions.versions([each.id for each in known])
    same = {each.id: each for each in known if versions.get(each.id) == each.version}
    changed = versions.keys() - same.keys()
    return {**same, **(await work.transitions.many(sorted(changed)) if changed else {})}


async def keep_pins(work: Work) -> None:
    """Have the end of the next pin noticed."""
    following = await work.batches.next_pin()
    if following is not None:
        await work.enqueue(PINS, "all", {}, run_at=following)


def _check_stored(each: Ended, stored: Mapping[str, str]) -> None:
    for found in each.objects:
        wanted = stored.get(found.path)
        if each.state is TransitionState.COMPLETED and found.sha256 and wanted not in {None, found.sha256}:
            each.state = TransitionState.FAILED
            each.error = f"{found.path} has SHA-256 {found.sha256}, {wanted} was stored"


def _end(each: Ended, current: Transition, now: datetime) -> Transition:
    if each.state is TransitionState.COMPLETED:
        return current.complete(now, each.objects, each.provided)
    if each.state is TransitionState.CANCELLED:
        return current.cancel(now, each.objects)
    return current.fail(now, each.error or "it did not change its class")


def _end_of_target(
    batch: Batch, each: Ended, transition: Transition | None, now: datetime, *, wanted: bool
) -> Target:
    """The target as its transition ended; somebody else may have ended that first.

    A file that came to disk when it was not ``wanted`` there any more is not held there.
    """
    state = transition.state if transition is not None else each.state
    error = transition.error if transition is not None else each.error
    if batch.kind is BatchKind.STAGE and state is TransitionState.COMPLETED:
        if not wanted:
            return each.target.over(TransitionState.CANCELLED, now)
        return replace(each.target, error=None).on_disk(now)
    return each.target.over(state, now, error)
