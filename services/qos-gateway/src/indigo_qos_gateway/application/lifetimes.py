"""Timers: an object's time in its class is over, or its age asks for another class.

What INDIGO's servers declared (``cdmi_capability_lifetime_action``) is done here. Timers are rows; one job wakes
up when the next is due and looks at the storage before it does anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from indigo_contracts.qos import LifetimeExpired
from indigo_kernel.db.jobs import Later
from indigo_kernel.db.uow import Job
from indigo_kernel.problems import Conflict, DomainError, Forbidden

from indigo_qos_gateway.application.choosing import Chooser, effective, inherited
from indigo_qos_gateway.application.mounts import record_of
from indigo_qos_gateway.application.ports import NewWork, Work
from indigo_qos_gateway.application.row_ports import StoredObject
from indigo_qos_gateway.application.transitions import moving, request_transition
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.retention import check_untouched, retained_until
from indigo_qos_gateway.domain.rules import DELETE, MIGRATE
from indigo_qos_gateway.domain.storage import ObjectType, Status, class_uri
from indigo_qos_gateway.domain.timer import Due, Timer
from indigo_qos_gateway.domain.wishes import read_wishes

log = structlog.get_logger()

LIFETIMES = "lifetimes"
"""Kind of the one job that looks after the timers."""

_AT_ONCE = 200
_LATER = timedelta(minutes=1)
"""How long a timer waits when its object is busy."""

_MUCH_LATER = timedelta(days=1)
"""How long it waits when the object may not be removed, or could not be looked at."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A data object that came to a class, or whose metadata were changed."""

    path: str
    storage_class: str
    size: int


@dataclass(frozen=True, slots=True)
class Timers:
    """Sets timers; ``NewWork`` is for the worker that ends them."""

    work: NewWork
    chooser: Chooser

    async def arm(self, work: Work, placed: Sequence[Placed]) -> None:
        """Set the timers of these objects, or take them away, in a handful of statements for all."""
        if not placed:
            return
        known = await inherited(work, [each.path for each in placed])
        timers = [
            timer
            for each in placed
            if each.path in known and (timer := self._timer(each, known, work.now)) is not None
        ]
        await work.timers.clear([each.path for each in placed])
        await work.timers.set(timers)
        if timers:
            await work.enqueue(LIFETIMES, "all", {}, run_at=min(each.due_at for each in timers))

    async def end_due(self, job: Job) -> None:
        """Do what is due; raises ``Later`` until the next timer is."""
        while True:
            async with self.work() as work:
                due = await work.timers.due(work.now, _AT_ONCE)
                if not due:
                    following = await work.timers.following()
                    if following is None:
                        await work.finish(job)
                        return
                    raise Later(following - work.now, "until the next timer")
            for timer in due:
                try:
                    await self._end(timer)
                except Exception as error:
                    log.exception("timer.failed", path=timer.path, error=repr(error))
                    async with self.work() as work:
                        await _postpone(work, timer, _MUCH_LATER)

    def _timer(self, placed: Placed, known: dict[str, StoredObject], now: datetime) -> Timer | None:
        stored = known[placed.path]
        ends: list[tuple[datetime, Due]] = []
        try:
            wishes = read_wishes(effective(placed.path, known))
            lifetime = self.chooser.lifetime(self.chooser.class_at(placed.path, placed.storage_class), wishes)
            if lifetime is not None and lifetime.migrate_to != placed.storage_class:
                ends.append((lifetime.duration.after(stored.association_time), Due.LIFETIME))
            choice = self.chooser.choose(
                placed.path,
                placed.size,
                wishes,
                placed.storage_class,
                now,
                created=stored.created_at,
                groups=frozenset(stored.groups),
            )
            if choice.changes_at is not None:
                ends.append((choice.changes_at, Due.CHOICE))
        except DomainError as error:
            # what was good when it was written may not be any more: policies and classes go away
            log.warning("timer.not_set", path=placed.path, error=error.detail)
        if not ends:
            return None
        due_at, due = min(ends)
        return Timer(placed.path, placed.storage_class, due_at, due)

    async def _end(self, timer: Timer) -> None:
        mount = self.chooser.mounts.at(timer.path)
        try:
            status = await mount.status(timer.path)
        except ObjectNotFound:
            await self._gone(timer)
            return
        async with self.work() as work:
            known = await inherited(work, [timer.path])
            stored = known.get(timer.path)
            if stored is None or status.object_type is ObjectType.CONTAINER:
                await work.timers.clear([timer.path])
                return
            if await moving(work, mount, timer.path) or await work.transfers.over(timer.path):
                await _postpone(work, timer, _LATER)
                return
            target = self._target(timer.due, status, known, work.now)
            if target == status.storage_class:
                await self._again(work, status)
                return
        if target is None:
            await self._delete(timer, status)
        else:
            await self._migrate(timer, status, stored, target)

    def _target(self, due: Due, status: Status, known: dict[str, StoredObject], now: datetime) -> str | None:
        """The class an object goes to, or stays at; ``None`` when it is to be deleted."""
        path, stored = status.path, known[status.path]
        wishes = read_wishes(effective(path, known))
        if due is Due.LIFETIME:
            lifetime = self.chooser.lifetime(self.chooser.class_at(path, status.storage_class), wishes)
            if lifetime is None or lifetime.duration.after(stored.association_time) > now:
                return status.storage_class
            return lifetime.migrate_to
        choice = self.chooser.choose(
            path,
            status.size,
            wishes,
            status.storage_class,
            now,
            created=stored.created_at,
            groups=frozenset(stored.groups),
        )
        return choice.storage_class

    async def _migrate(self, timer: Timer, status: Status, stored: StoredObject, target: str) -> None:
        mount = self.chooser.mounts.at(timer.path)
        try:
            async with self.work() as work:
                await request_transition(work, mount, status, target, None)
                await self._tell(work, status, stored, MIGRATE + class_uri(ObjectType.DATAOBJECT, target))
                await work.timers.clear([timer.path])  # set anew when it is there
        except Conflict:
            async with self.work() as work:
                await _postpone(work, timer, _LATER)

    async def _delete(self, timer: Timer, status: Status) -> None:
        mount = self.chooser.mounts.at(timer.path)
        async with self.work() as work:
            # From here on nobody gives it new bytes, a hold or more time.
            stored = await work.objects.find(timer.path, for_update=True)
            if stored is None:  # it went elsewhere
                await work.timers.clear([timer.path])
                return
            known = await inherited(work, [timer.path])
            if self._target(timer.due, status, known, work.now) is not None:
                await self._again(work, status)
                return
            try:
                check_untouched(timer.path, stored.metadata, work.now)
            except Forbidden as kept:
                log.warning("timer.kept", path=timer.path, reason=kept.detail)
                end = retained_until(stored.metadata)
                await _postpone(work, timer, max((end or work.now) - work.now, _MUCH_LATER))
                return
            # The bytes first: after a crash in between, the next look finds nothing and forgets the rest.
            await self._tell(work, status, stored, DELETE)
            await mount.backend.delete(mount.inner(timer.path))
            await work.objects.forget(timer.path)

    async def _gone(self, timer: Timer) -> None:
        """Nothing is there: somebody removed it, or a worker did and died before it could tell."""
        async with self.work() as work:
            stored = await work.objects.find(timer.path, for_update=True)
            known = await inherited(work, [timer.path])
            if stored is not None and timer.due is Due.LIFETIME:
                wishes = read_wishes(effective(timer.path, known))
                lifetime = self.chooser.lifetime(self.chooser.class_at(timer.path, timer.storage_class), wishes)
                # What was stored there since the look is younger.
                over = lifetime is not None and lifetime.duration.after(stored.association_time) <= work.now
                if over and lifetime is not None and lifetime.migrate_to is None:
                    await self._tell(work, timer, stored, DELETE)
                    await work.objects.forget(timer.path)
            await work.timers.end(timer)

    async def _tell(self, work: Work, what: Status | Timer, stored: StoredObject, action: str) -> None:
        record_id = record_of(self.chooser.mounts.at(what.path), what.path)
        record = await work.records.find(record_id) if record_id else None
        fact = LifetimeExpired(
            path=what.path,
            storage_class=what.storage_class,
            action=action,
            record_id=record.record_id if record else None,
            plan=record.plan if record else None,
        )
        work.emit(fact, subject=f"objects/{stored.object_id}", version=int(work.now.timestamp() * 1000))

    async def _again(self, work: Work, status: Status) -> None:
        await self.arm(work, [Placed(status.path, status.storage_class, status.size)])


async def _postpone(work: Work, timer: Timer, by: timedelta) -> None:
    await work.timers.set([replace(timer, due_at=work.now + by)])
