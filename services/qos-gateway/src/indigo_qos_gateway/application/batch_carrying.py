"""Carries out batches: many objects at a time, with a handful of statements for all of them.

While the storage works on one slice, the one before is told and the next one is begun. Every part can be done
again, as in ``carrying``: a worker that takes over finds in the storage what is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import structlog
from indigo_contracts.qos import TransitionState
from indigo_contracts.text import storable_text
from indigo_kernel.db.jobs import Later
from indigo_kernel.db.uow import Job
from indigo_kernel.problems import BadRequest, DomainError

from indigo_qos_gateway.application.batch_admission import Seen, admit
from indigo_qos_gateway.application.batch_settling import Ended, Settler, keep_pins
from indigo_qos_gateway.application.carrying import placed
from indigo_qos_gateway.application.lifetimes import Timers
from indigo_qos_gateway.application.mounts import MountTable
from indigo_qos_gateway.application.ports import NewWork, Pace, Work
from indigo_qos_gateway.application.together import Many
from indigo_qos_gateway.domain.arrival import Arrived
from indigo_qos_gateway.domain.batch import Batch, BatchKind, Target
from indigo_qos_gateway.domain.errors import Busy, Impossible, ObjectNotFound, StorageDamage
from indigo_qos_gateway.domain.storage import Status
from indigo_qos_gateway.domain.transition import Transition

log = structlog.get_logger()

SLICE = 500
"""Targets that are begun, and told, by the same statements."""

WINDOW = 2 * SLICE
"""Targets in work at a time: tapes are read in better order when many are asked for at once."""

_LOOK = 1.0
"""Seconds between looks whether somebody cancelled."""


@dataclass(slots=True)
class _Held:
    """A target in work. The ``handle`` is absent until its step began, and empty where none is needed."""

    target: Target
    transition: Transition
    handle: str | None = None
    restarted: bool = False


@dataclass(slots=True)
class _Run:
    """What one run of the job remembers: targets in work by path, and how far the others were taken up.

    ``resting`` is how many were left to a later run.
    """

    held: dict[str, _Held] = field(default_factory=dict)
    ended: list[Ended] = field(default_factory=list)
    after: int = -1
    exhausted: bool = False
    resting: int = 0
    looked: float = float("-inf")

    def put_off(self, path: str) -> None:
        del self.held[path]
        self.resting += 1


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
        async with self.work() as work:
            batch = await work.batches.kind_of(job.payload["batch_id"])
            if batch is None:
                await work.finish(job)
                return
            await work.batches.begin(batch.id, work.now)
            await self._take_up(work, batch, run)
        while True:
            moved = 0
            while len(run.held) <= WINDOW - SLICE and (admitted := await self._admit(batch, run)):
                moved += admitted
            await self._look_for_cancellations(batch, run)
            await self._begin(run)
            await self._poll(run, 0.0 if run.ended else _LOOK)
            moved += await self._tell(batch, run)
            if not run.held and await self._nothing_left(job, batch, run):
                return
            if not moved:
                left -= _LOOK
                if left <= 0:
                    raise Later(self.pace.again, "the storage is at it")

    async def give_up(self, job: Job, error: BaseException) -> None:
        """Tell of every target that is left that it failed."""
        batch_id, reason = job.payload["batch_id"], str(error) or repr(error)
        while True:
            async with self.work() as work:
                batch = await work.batches.kind_of(batch_id)
                if batch is None:
                    return
                left = list(await work.batches.started(batch_id))
                left += await work.batches.submitted(batch_id, after=-1, limit=SLICE)
                if not left:
                    await work.batches.finish(batch_id, work.now)
                    return
                known = await _transitions(work, left)
            await self._settler.settle(
                batch, [Ended(each, known.get(each.position), TransitionState.FAILED, reason) for each in left]
            )

    @property
    def _settler(self) -> Settler:
        return Settler(self.work, self.mounts, self.timers)

    @property
    def _many(self) -> Many:
        return Many(self.mounts)

    async def _take_up(self, work: Work, batch: Batch, run: _Run) -> None:
        """Hold what an earlier run began."""
        started = await work.batches.started(batch.id)
        known = await _transitions(work, started)
        stopped = await work.batches.stopped(batch.id, [each.position for each in started])
        again: list[Target] = []
        for target in started:
            transition = known.get(target.position)
            if transition is None:
                run.ended.append(Ended(target, None, TransitionState.FAILED, "its transition is gone"))
            elif target.position not in stopped and _others_cancelled(batch, transition):
                again.append(replace(target, state=TransitionState.SUBMITTED, transition_id=None))
            elif not transition.active:
                run.ended.append(Ended(target, transition, transition.state, transition.error))
            elif transition.batch_id == batch.id:
                run.held[target.path] = _Held(target, transition, transition.handles.get(target.path))
            elif target.cancel_requested:
                run.ended.append(Ended(target, None, TransitionState.CANCELLED))
            else:
                run.resting += 1  # another worker carries it out
        await work.batches.save(batch.id, again)

    async def _admit(self, batch: Batch, run: _Run) -> int:
        """Take up a slice of what nothing was done about yet; how many targets that were."""
        async with self.work() as work:
            targets = await work.batches.submitted(batch.id, after=run.after, limit=SLICE)
        if not targets:
            run.exhausted = True
            return 0
        run.after = targets[-1].position
        found = await self._many.statuses([each.path for each in targets])
        seen = [self._seen(each, found[each.path]) for each in targets]
        async with self.work() as work:
            admitted = await admit(work, batch, seen)
            if batch.kind is BatchKind.STAGE:
                await keep_pins(work)
        run.held |= {target.path: _Held(target, transition) for target, transition in admitted.mine}
        run.resting += admitted.waiting
        return len(targets)

    def _seen(self, target: Target, found: Status | Exception) -> Seen:
        mount = self.mounts.at(target.path)
        if isinstance(found, Status):
            return Seen(target, mount, found)
        if isinstance(found, DomainError):
            return Seen(target, mount, None, found.detail)
        if not isinstance(found, OSError):
            raise found
        log.warning("batch.no_status", path=target.path, error=repr(found))
        return Seen(target, mount, None, f"{mount.backend.name} did not say what is at {target.path}")

    async def _look_for_cancellations(self, batch: Batch, run: _Run) -> None:
        """Stop what somebody wants stopped; looked for once in a while only."""
        now = asyncio.get_running_loop().time()
        if now - run.looked < _LOOK or not run.held:
            return
        run.looked = now
        async with self.work() as work:
            paths = [path for path in await work.batches.called_off(batch.id) if path in run.held]
        if not paths:
            return
        unclear = await self._many.stop({path: run.held[path].handle or "" for path in paths})
        found: dict[str, Status | Exception] = {**await self._many.statuses(paths), **unclear}
        for path in paths:
            held, status = run.held.pop(path), found[path]
            ended = Ended(held.target, held.transition, TransitionState.CANCELLED)
            if isinstance(status, Status):
                ended.objects = [placed(status, status.sha256)]
            else:
                log.warning("batch.cancel_unclear", path=path, error=repr(status))
            run.ended.append(ended)

    async def _begin(self, run: _Run) -> None:
        wanted = {path: each.transition.target_class for path, each in run.held.items() if each.handle is None}
        begun = await self._many.begin(wanted)
        for path, handle in begun.items():
            if isinstance(handle, str):
                run.held[path].handle = handle
            else:
                self._failed(run, path, handle)
        await self._remember(
            {
                each.transition.id: {path: each.handle}
                for path in begun
                if (each := run.held.get(path)) is not None and each.handle
            }
        )

    async def _poll(self, run: _Run, patience: float) -> None:
        """See what is over. Waits for the slice that began first, while the storage has another one to work on."""
        handles = {path: each.handle or "" for path, each in run.held.items()}
        first = dict(islice(handles.items(), SLICE))
        others = dict(islice(handles.items(), SLICE, None))
        again: list[_Held] = []
        for path, end in {
            **await self._many.ended(first, patience),
            **await self._many.ended(others, 0.0),
        }.items():
            held = run.held[path]
            if isinstance(end, Arrived):
                run.ended.append(_arrived(held, end))
                del run.held[path]
            elif end is not None:
                self._failed(run, path, end)
            else:
                again.append(held)
        await self._put_back(again)
        for held in again:
            if held.restarted:
                run.put_off(held.target.path)
            held.restarted = True

    def _failed(self, run: _Run, path: str, error: Exception) -> None:
        run.ended.append(_failure(run.held.pop(path), error))

    async def _tell(self, batch: Batch, run: _Run) -> int:
        """Tell what ended; failures that another attempt may help are left to a later run."""
        again: list[Ended] = []
        over: list[Ended] = []
        for each in run.ended:
            if each.state is not TransitionState.STARTED:
                over.append(each)
            elif each.target.attempts + 1 < self.attempts:
                again.append(each)
            else:
                each.state = TransitionState.FAILED
                over.append(each)
        if again:
            async with self.work() as work:
                await work.batches.save(
                    batch.id,
                    [
                        replace(
                            each.target,
                            attempts=each.target.attempts + 1,
                            error=storable_text(each.error or "") or None,
                        )
                        for each in again
                    ],
                )
            await self._remember({each.transition.id: {} for each in again if each.transition and each.remembered})
            run.resting += len(again)
        await self._settler.settle(batch, over)
        run.ended = []
        return len(again) + len(over)

    async def _nothing_left(self, job: Job, batch: Batch, run: _Run) -> bool:
        """Whether everything is over, which is noted then. Raises ``Later`` when some is left to a later run."""
        if not run.exhausted:
            return False
        if run.resting:
            raise Later(self.pace.again, "the storage is at it")
        async with self.work() as work:
            await work.batches.finish(batch.id, work.now)
            await work.finish(job)
        return True

    async def _put_back(self, again: Sequence[_Held]) -> None:
        """Forget the steps of these: they are begun anew."""
        remembered = [each for each in again if each.handle]
        for each in again:
            each.handle = None
        await self._remember({each.transition.id: {} for each in remembered})

    async def _remember(self, handles: Mapping[str, Mapping[str, str]]) -> None:
        """Keep the handles of transitions, unless somebody ended them meanwhile."""
        if not handles:
            return
        async with self.work() as work:
            current = await work.transitions.many(list(handles), for_update=True)
            await work.transitions.save(
                *(replace(each, handles=handles[each.id]) for each in current.values() if each.active)
            )


def _others_cancelled(batch: Batch, transition: Transition) -> bool:
    """Whether it is a transition of others, who need it no more; whoever joined it begins anew."""
    return transition.state is TransitionState.CANCELLED and transition.batch_id != batch.id


async def _transitions(work: Work, targets: Sequence[Target]) -> Mapping[int, Transition]:
    ids = {each.position: each.transition_id for each in targets if each.transition_id}
    found = await work.transitions.many(list(ids.values()))
    return {position: found[each] for position, each in ids.items() if each in found}


def _arrived(held: _Held, end: Arrived) -> Ended:
    """A target at the class it was brought to; a failure when it is still elsewhere."""
    status, wanted = end.status, held.transition.target_class
    if status.storage_class != wanted:
        return _failure(held, StorageDamage(f"{status.path} is still at {status.storage_class}"))
    return Ended(
        held.target,
        held.transition,
        TransitionState.COMPLETED,
        objects=[placed(status, end.sha256)],
        provided={f"{name}_provided": value for name, value in status.provided.items()},
    )


def _failure(held: _Held, error: Exception) -> Ended:
    """A failure: final when no other attempt can help, else STARTED, which is tried again."""
    final = isinstance(error, Impossible | BadRequest | ObjectNotFound)
    known = isinstance(error, DomainError | StorageDamage | Impossible | OSError)
    if not isinstance(error, Busy):
        log.warning("batch.failed", path=held.target.path, error=repr(error), exc_info=None if known else error)
    state = TransitionState.FAILED if final else TransitionState.STARTED
    ended = Ended(held.target, held.transition, state, str(error) or repr(error))
    ended.remembered = bool(held.handle)
    return ended
