"""Carries out batches: many objects at a time, with a handful of statements for all of them.

Every part can be done again, as in ``carrying``: a worker that takes over finds in the storage what is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

import structlog
from indigo_contracts.qos import PlacedObject, TransitionState
from indigo_kernel.db.jobs import Later
from indigo_kernel.db.uow import Job
from indigo_kernel.problems import BadRequest, DomainError

from indigo_qos_gateway.application.batch_admission import Seen, admit
from indigo_qos_gateway.application.carrying import placed
from indigo_qos_gateway.application.lifetimes import Placed, Timers
from indigo_qos_gateway.application.mounts import MountTable
from indigo_qos_gateway.application.placement import place_again
from indigo_qos_gateway.application.ports import NewWork, Pace, Work
from indigo_qos_gateway.application.relocating import abandon
from indigo_qos_gateway.application.staging import PINS, send_home
from indigo_qos_gateway.application.transitions import plan_lock, state_fact
from indigo_qos_gateway.domain.batch import Batch, BatchKind, Target
from indigo_qos_gateway.domain.errors import Busy, Impossible, ObjectNotFound, StorageDamage
from indigo_qos_gateway.domain.storage import StepState
from indigo_qos_gateway.domain.transition import Transition

log = structlog.get_logger()

WINDOW = 500
"""Targets in work at a time: tapes are read in better order when many are asked for at once."""

_AT_ONCE = 16
"""Questions to one storage at the same time."""

_LOOK = 1.0
"""Seconds between looks whether somebody cancelled."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class _Ended:
    """How one target ended."""

    target: Target
    transition: Transition | None
    state: TransitionState
    error: str | None = None
    objects: Sequence[PlacedObject] = ()
    provided: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class _Run:
    """What one run of the job remembers. ``resting`` are positions that are looked at by a later run only."""

    resting: set[int] = field(default_factory=set)
    restarted: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class BatchCarrier:
    """What it takes to carry out batches. ``attempts`` is how often one object may fail."""

    work: NewWork
    mounts: MountTable
    pace: Pace
    attempts: int
    timers: Timers

    async def carry_out(self, job: Job) -> None:
        """Bring every target to its end, or raise ``Later`` when the storage needs more time."""
        run, left = _Run(), self.pace.patience.total_seconds()
        while True:
            async with self.work() as work:
                batch = await work.batches.kind_of(job.payload["batch_id"])
                if batch is None:
                    await work.finish(job)
                    return
                await work.batches.begin(batch.id, work.now)
                window = await work.batches.window(batch.id, WINDOW + len(run.resting))
                if not window:
                    await work.batches.finish(batch.id, work.now)
                    await work.finish(job)
                    return
            awake = [each for each in window if each.position not in run.resting]
            if not awake:
                raise Later(self.pace.again, "the storage is at it")
            if await self._advance(batch, awake, run) == 0:
                left -= _LOOK
                if left <= 0:
                    raise Later(self.pace.again, "the storage is at it")

    async def give_up(self, job: Job, error: BaseException) -> None:
        """Tell of every target that is left that it failed."""
        batch_id = job.payload["batch_id"]
        while True:
            async with self.work() as work:
                batch = await work.batches.kind_of(batch_id)
                if batch is None:
                    return
                window = await work.batches.window(batch_id, WINDOW)
                if not window:
                    await work.batches.finish(batch_id, work.now)
                    return
                known = await self._transitions(work, window)
            reason = str(error) or repr(error)
            await self._settle(
                batch, [_Ended(each, known.get(each.position), TransitionState.FAILED, reason) for each in window]
            )

    async def _advance(self, batch: Batch, window: Sequence[Target], run: _Run) -> int:
        """One look at every target of the window; how many of them changed their state."""
        submitted = [each for each in window if each.state is TransitionState.SUBMITTED]
        if submitted:
            seen = await _each(submitted, self._see)
            async with self.work() as work:
                await admit(work, batch, seen)
                after = await work.batches.window(batch.id, WINDOW + len(run.resting))
                if batch.kind is BatchKind.STAGE:
                    await _keep_pins(work)
            waiting = {each.position for each in after if each.state is TransitionState.SUBMITTED}
            run.resting |= waiting & {each.position for each in submitted}
            return len(submitted)
        async with self.work() as work:
            known = await self._transitions(work, window)
        ended = await self._looked_at(batch, window, known, run)
        await self._settle(batch, ended)
        return len(ended)

    async def _transitions(self, work: Work, window: Sequence[Target]) -> dict[int, Transition]:
        ids = {each.position: each.transition_id for each in window if each.transition_id}
        found = await work.transitions.many(list(ids.values()))
        return {position: found[each] for position, each in ids.items() if each in found}

    async def _see(self, target: Target) -> Seen:
        mount = self.mounts.at(target.path)
        try:
            return Seen(target, mount, await mount.status(target.path))
        except DomainError as error:
            return Seen(target, mount, None, error.detail)
        except OSError as error:
            log.warning("batch.no_status", path=target.path, error=repr(error))
            return Seen(target, mount, None, f"{mount.backend.name} did not say what is at {target.path}")

    async def _looked_at(
        self, batch: Batch, window: Sequence[Target], known: dict[int, Transition], run: _Run
    ) -> list[_Ended]:
        ended: list[_Ended] = []
        mine: list[tuple[Target, Transition]] = []
        for target in window:
            transition = known.get(target.position)
            if transition is None:
                ended.append(_Ended(target, None, TransitionState.FAILED, "its transition is gone"))
            elif not transition.active:
                ended.append(_Ended(target, transition, transition.state, transition.error))
            elif transition.batch_id != batch.id:
                if target.cancel_requested:
                    ended.append(_Ended(target, None, TransitionState.CANCELLED))
                else:
                    run.resting.add(target.position)  # another worker carries it out
            else:
                mine.append((target, transition))
        stopped = [each for each in mine if each[0].cancel_requested or each[1].cancel_requested]
        ended += await _each(stopped, self._cancel)
        going = [each for each in mine if each not in stopped]
        fresh = [each for each in going if not each[1].handles]
        begun = await _each(fresh, self._begin)
        await self._remember([each for each in begun if isinstance(each, Transition)])
        running = [(target, transition) for target, transition in going if transition.handles] + [
            (target, made) for (target, _), made in zip(fresh, begun, strict=True) if isinstance(made, Transition)
        ]
        found = [each for each in begun if isinstance(each, _Ended)]
        if running:
            # Steps end about in the order they began: when the last one is over, most are.
            *others, last = running
            found += [each for each in [await self._ask(last, run, _LOOK)] if each is not None]
            asked = await _each(others, lambda each: self._ask(each, run, 0.0))
            found += [each for each in asked if each is not None]
        return ended + await self._tried_again(batch, found, run)

    async def _begin(self, each: tuple[Target, Transition]) -> Transition | _Ended:
        target, transition = each
        mount = self.mounts.at(target.path)
        try:
            status = await mount.status(target.path)
            if status.storage_class == transition.target_class:
                return await self._verified(target, transition)
            handle = await mount.backend.start(mount.inner(target.path), transition.target_class)
        except Exception as error:  # noqa: BLE001 - whatever one object raises is its failure, told in its place
            return _failure(target, transition, error)
        return replace(transition, handles={target.path: handle})

    async def _ask(self, each: tuple[Target, Transition], run: _Run, patience: float) -> _Ended | None:
        """The end of a step, or ``None`` while it runs."""
        target, transition = each
        mount = self.mounts.at(target.path)
        try:
            progress = await mount.backend.poll(
                mount.inner(target.path), transition.handles[target.path], patience
            )
            if progress.state is StepState.RUNNING:
                return None
            if progress.state is StepState.DONE:
                return await self._verified(target, transition)
            if progress.state is StepState.FAILED:
                raise StorageDamage(progress.error or f"{target.path} did not change its class")
        except Exception as error:  # noqa: BLE001 - as above
            return _failure(target, transition, error)
        if target.position in run.restarted:
            run.resting.add(target.position)
        run.restarted.add(target.position)
        await self._remember([replace(transition, handles={})])
        return None

    async def _verified(self, target: Target, transition: Transition) -> _Ended:
        """Read back what was asked for. Raises ``StorageDamage`` unless class and checksum are right."""
        mount = self.mounts.at(target.path)
        status = await mount.status(target.path)
        if status.storage_class != transition.target_class:
            raise StorageDamage(f"{target.path} is still at {status.storage_class}")
        sha256 = await mount.backend.digest(mount.inner(target.path))
        return _Ended(
            target,
            transition,
            TransitionState.COMPLETED,
            objects=[placed(status, sha256)],
            provided={f"{name}_provided": value for name, value in status.provided.items()},
        )

    async def _cancel(self, each: tuple[Target, Transition]) -> _Ended:
        target, transition = each
        mount = self.mounts.at(target.path)
        objects: list[PlacedObject] = []
        try:
            for handle in transition.handles.values():
                await mount.backend.cancel(mount.inner(target.path), handle)
            status = await mount.status(target.path)
            objects.append(placed(status, status.sha256))
        except (DomainError, OSError) as error:
            log.warning("batch.cancel_unclear", path=target.path, error=repr(error))
        return _Ended(target, transition, TransitionState.CANCELLED, objects=objects)

    async def _tried_again(self, batch: Batch, found: list[_Ended], run: _Run) -> list[_Ended]:
        """Those that ended; failures that another attempt may help are put back."""
        again = [
            each
            for each in found
            if each.state is TransitionState.STARTED and each.target.attempts + 1 < self.attempts
        ]
        if again:
            async with self.work() as work:
                await work.batches.save(
                    batch.id,
                    [replace(each.target, attempts=each.target.attempts + 1, error=each.error) for each in again],
                )
            await self._remember([replace(each.transition, handles={}) for each in again if each.transition])
            run.resting |= {each.target.position for each in again}
        for each in found:
            if each.state is TransitionState.STARTED:
                each.state = TransitionState.FAILED
        return [each for each in found if each not in again]

    async def _remember(self, changed: Sequence[Transition]) -> None:
        """Keep the handles, unless somebody ended the transition meanwhile."""
        if not changed:
            return
        async with self.work() as work:
            current = await work.transitions.many([each.id for each in changed], for_update=True)
            await work.transitions.save(
                *(
                    replace(current[each.id], handles=each.handles)
                    for each in changed
                    if each.id in current and current[each.id].active
                )
            )

    async def _settle(self, batch: Batch, ended: Sequence[_Ended]) -> None:
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
            current = await work.transitions.many([each.id for each in mine], for_update=True)
            stored = await work.objects.checksums([placed.path for each in ended for placed in each.objects])
            over: list[Transition] = []
            targets: list[Target] = []
            for each in ended:
                known = current.get(each.transition.id) if each.transition else None
                _check_stored(each, stored)
                if known is not None and known.active:
                    known = _end(each, known, work.now)
                    over.append(known)
                targets.append(_end_of_target(batch, each, known, work.now))
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
            await _keep_pins(work)
            await send_home(work, [each.path for each in targets if each.state is not TransitionState.COMPLETED])
        for transition in {each.record_id: each for each in over if each.record_id}.values():
            await place_again(work, self.mounts, transition)


async def _keep_pins(work: Work) -> None:
    """Have the end of the next pin noticed."""
    following = await work.batches.next_pin()
    if following is not None:
        await work.enqueue(PINS, "all", {}, run_at=following)


def _failure(target: Target, transition: Transition, error: Exception) -> _Ended:
    """A failure: final when no other attempt can help, else STARTED, which is tried again."""
    final = isinstance(error, Impossible | BadRequest | ObjectNotFound)
    known = isinstance(error, DomainError | StorageDamage | Impossible | OSError)
    if not isinstance(error, Busy):
        log.warning("batch.failed", path=target.path, error=repr(error), exc_info=None if known else error)
    state = TransitionState.FAILED if final else TransitionState.STARTED
    return _Ended(target, transition, state, str(error) or repr(error))


def _check_stored(each: _Ended, stored: Mapping[str, str]) -> None:
    for found in each.objects:
        wanted = stored.get(found.path)
        if each.state is TransitionState.COMPLETED and found.sha256 and wanted not in {None, found.sha256}:
            each.state = TransitionState.FAILED
            each.error = f"{found.path} has SHA-256 {found.sha256}, {wanted} was stored"


def _end(each: _Ended, current: Transition, now: datetime) -> Transition:
    if each.state is TransitionState.COMPLETED:
        return current.complete(now, each.objects, each.provided)
    if each.state is TransitionState.CANCELLED:
        return current.cancel(now, each.objects)
    return current.fail(now, each.error or "it did not change its class")


def _end_of_target(batch: Batch, each: _Ended, transition: Transition | None, now: datetime) -> Target:
    """The target as its transition ended; somebody else may have ended that first."""
    state = transition.state if transition is not None else each.state
    error = transition.error if transition is not None else each.error
    if batch.kind is BatchKind.STAGE and state is TransitionState.COMPLETED:
        return replace(each.target, error=None).on_disk(now)
    return each.target.over(state, now, error)


async def _each(items: Iterable[T], ask: Callable[[T], Awaitable[R]]) -> list[R]:
    """``ask`` about every item, a few at the same time; the answers in order."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(item: T) -> R:
        async with slots:
            return await ask(item)

    return await asyncio.gather(*(one(item) for item in items))
