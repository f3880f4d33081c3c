"""Carries out transitions: fetch what is missing, start the back-end's steps, wait, read back, tell.

Every part can be done again: a worker that takes over from a dead one finds in the storage what is done already.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from indigo_contracts.qos import PlacedObject, TransitionState
from indigo_contracts.repository import RecordFile, RecordSnapshot
from indigo_kernel.db.jobs import Later
from indigo_kernel.db.uow import Job
from indigo_kernel.problems import BadRequest

from indigo_qos_gateway.application.lifetimes import Placed, Timers
from indigo_qos_gateway.application.mounts import Mount, MountTable, record_container
from indigo_qos_gateway.application.placement import place_again
from indigo_qos_gateway.application.ports import NewWork, Pace, RecordFiles, Work
from indigo_qos_gateway.application.relocating import abandon
from indigo_qos_gateway.application.together import start_each
from indigo_qos_gateway.application.transitions import plan_lock, state_fact
from indigo_qos_gateway.domain.errors import Busy, Impossible, ObjectNotFound, StorageDamage
from indigo_qos_gateway.domain.paths import absolute, join
from indigo_qos_gateway.domain.storage import Content, ObjectType, Status, StepState
from indigo_qos_gateway.domain.transition import Transition

_LOOK = 1.0
"""Seconds between looks whether somebody cancelled."""


class _CancelAsked(Exception):
    """Somebody cancelled the transition."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """What it takes to carry out transitions."""

    work: NewWork
    mounts: MountTable
    files: RecordFiles
    pace: Pace
    timers: Timers

    async def carry_out(self, job: Job) -> None:
        """Bring one transition to its end, or raise ``Later`` when its storage needs more time.

        What fails is raised and tried again; ``give_up`` tells it when there are no more tries. What no further
        try can help is told at once.
        """
        async with self.work() as work:
            transition = await work.transitions.get(job.payload["transition_id"])
        # Asked outside of a transaction: a storage that hangs must not keep a connection to the database.
        source = await self._source(transition) if transition is not None and transition.active else None
        async with self.work() as work:
            transition = await work.transitions.get(job.payload["transition_id"], for_update=True)
            if transition is None or not transition.active:
                await work.finish(job)
                return
            record = await self._copied_record(work, transition)
            transition = transition.start(work.now, source)
            await work.transitions.save(transition)
        try:
            mount = self.mounts.named(transition.backend)
            await self._steps(mount, transition, record)
            objects, provided = await self._verified(mount, transition, record)
        except _CancelAsked:
            await self._cancelled(job, transition)
            return
        except Busy as busy:
            raise Later(self.pace.again, str(busy)) from busy
        except (Impossible, BadRequest, ObjectNotFound) as error:
            async with self._ending(job, transition) as (work, current):
                failed = current.fail(work.now, str(error))
                await self._settle(work, failed)
            return
        async with self._ending(job, transition) as (work, current):
            await self._settle(work, current.complete(work.now, objects, provided))
            await work.objects.associate([placed.path for placed in objects] + [current.path], work.now)
            await self.timers.arm(work, [Placed(each.path, each.storage_class, each.size) for each in objects])

    async def give_up(self, job: Job, error: BaseException) -> None:
        """Tell that the transition failed, with the reason of the last try."""
        async with self.work() as work:
            known = await work.transitions.get(job.payload["transition_id"])
            if known is None:
                return
            current = await self._locked(work, known)
            if current.active:
                await self._settle(work, current.fail(work.now, str(error) or repr(error)))

    async def _copied_record(self, work: Work, transition: Transition) -> RecordSnapshot | None:
        """The record whose preservation copy this transition is about as a whole."""
        if transition.record_id is None:
            return None
        mount = self.mounts.named(transition.backend)
        if transition.path != record_container(mount, transition.record_id):
            return None
        return await work.records.find(transition.record_id)

    async def _source(self, transition: Transition) -> str | None:
        """The class it is at now; ``None`` when nothing is there yet."""
        try:
            return (await self.mounts.named(transition.backend).status(transition.path)).storage_class
        except (ObjectNotFound, Impossible):
            return None

    async def _steps(self, mount: Mount, transition: Transition, record: RecordSnapshot | None) -> None:
        if record is not None and not transition.handles:  # steps begin when every file is there
            await self._fetch(mount, transition, record)
        found = await below(mount, transition.path)
        left = {each.path: each.size for each in found if each.storage_class != transition.target_class}
        total = sum(each.size for each in found)
        transition = replace(transition, bytes_total=total, bytes_done=total - sum(left.values()))
        handles = {path: handle for path, handle in transition.handles.items() if path in left}
        await self._check_not_cancelled(transition)
        wanted = dict.fromkeys(left.keys() - handles.keys(), transition.target_class)
        begun = await start_each(mount, wanted, [path for path in left if path in wanted])
        handles |= {path: handle for path, handle in begun.items() if isinstance(handle, str)}
        await self._remember(transition, handles)
        for error in begun.values():
            if isinstance(error, Exception):
                raise error
        await self._wait(mount, transition, handles, left)

    async def _fetch(self, mount: Mount, transition: Transition, record: RecordSnapshot) -> None:
        """Have every file of the record in the container, with the size and checksum the record says."""
        await mount.backend.make_container(mount.inner(transition.path))
        for file in record.files:
            await self._check_not_cancelled(transition)
            path = _path_of(transition, file)
            try:
                status = await mount.status(path)
            except ObjectNotFound:
                pass
            else:
                if status.size == file.size and await self._checksum(mount, status) == file.sha256:
                    continue
            content = Content(file.size, file.sha256)
            await mount.backend.write(mount.inner(path), self.files.read(file.url), content)

    async def _checksum(self, mount: Mount, status: Status) -> str | None:
        """What the storage holds now; ``None`` when it is damaged, so that it is fetched anew."""
        try:
            return await mount.backend.digest(mount.inner(status.path))
        except StorageDamage:
            return None

    async def _wait(
        self, mount: Mount, transition: Transition, handles: dict[str, str], sizes: Mapping[str, int]
    ) -> None:
        """Poll the steps until all are done; raise ``Later`` when that takes longer than a worker waits."""
        left, looked, noted = self.pace.patience.total_seconds(), -_LOOK, transition.bytes_done
        for path, handle in list(handles.items()):
            while True:
                if time.monotonic() - looked >= _LOOK:  # each look reads all handles, and each note writes them
                    looked = time.monotonic()
                    await self._check_not_cancelled(transition)
                    if transition.bytes_done != noted:
                        await self._remember(transition, handles)
                        noted = transition.bytes_done
                progress = await mount.backend.poll(mount.inner(path), handle, min(_LOOK, max(left, 0.0)))
                if progress.state is StepState.DONE:
                    transition = replace(transition, bytes_done=transition.bytes_done + sizes[path])
                    break
                if progress.state is not StepState.RUNNING:
                    await self._remember(transition, {key: each for key, each in handles.items() if key != path})
                    if progress.state is StepState.FAILED:
                        raise StorageDamage(progress.error or f"{path} did not change its class")
                    raise Later(self.pace.again, f"{path} has to be started again")
                left -= _LOOK
                if left <= 0:
                    raise Later(self.pace.again, f"{path} is under way")
        await self._check_not_cancelled(transition)
        await self._remember(transition, handles)

    async def _remember(self, transition: Transition, handles: dict[str, str]) -> None:
        """Keep the running steps, and how many bytes are where they shall be."""
        async with self.work() as work:
            current = await work.transitions.get(transition.id, for_update=True)
            if current is not None and current.active:
                total, done = transition.bytes_total, transition.bytes_done
                await work.transitions.save(replace(current, handles=handles, bytes_total=total, bytes_done=done))

    async def _check_not_cancelled(self, transition: Transition) -> None:
        async with self.work() as work:
            current = await work.transitions.get(transition.id)
        if current is None or current.cancel_requested:
            raise _CancelAsked

    async def _verified(
        self, mount: Mount, transition: Transition, record: RecordSnapshot | None
    ) -> tuple[list[PlacedObject], dict[str, object]]:
        """Read everything back. Raises ``StorageDamage`` unless class and checksum are right."""
        expected = {_path_of(transition, file): file.sha256 for file in record.files} if record else {}
        objects: list[PlacedObject] = []
        provided: dict[str, object] = {}
        found = await below(mount, transition.path)
        async with self.work() as work:
            stored = await work.objects.checksums([each.path for each in found])
        for status in found:
            if status.storage_class != transition.target_class:
                raise StorageDamage(f"{status.path} is still at {status.storage_class}")
            if status.object_type is ObjectType.CONTAINER:
                continue
            sha256 = await mount.backend.digest(mount.inner(status.path))
            wanted = expected.get(status.path) or stored.get(status.path) or status.sha256
            if wanted is not None and sha256 not in {None, wanted}:
                raise StorageDamage(f"{status.path} has SHA-256 {sha256}, {wanted} was stored")
            objects.append(placed(status, sha256))
            provided |= {f"{name}_provided": value for name, value in status.provided.items()}
        missing = expected.keys() - {each.path for each in objects}
        if missing:
            raise StorageDamage(f"{min(missing)} is missing")
        return objects, provided

    async def _cancelled(self, job: Job, transition: Transition) -> None:
        mount = self.mounts.named(transition.backend)
        async with self.work() as work:
            current = await work.transitions.get(transition.id)
        for path, handle in (current.handles if current else {}).items():
            await mount.backend.cancel(mount.inner(path), handle)
        try:
            found = await below(mount, transition.path)
        except ObjectNotFound:
            found = []
        objects = [
            placed(status, status.sha256) for status in found if status.object_type is ObjectType.DATAOBJECT
        ]
        async with self._ending(job, transition) as (work, latest):
            await self._settle(work, latest.cancel(work.now, objects))

    @asynccontextmanager
    async def _ending(self, job: Job, transition: Transition) -> AsyncIterator[tuple[Work, Transition]]:
        """The transaction in which a transition ends and its job is done."""
        async with self.work() as work:
            yield work, await self._locked(work, transition)
            await work.finish(job)

    async def _locked(self, work: Work, transition: Transition) -> Transition:
        # The plan's lock comes before the row's, as when a plan is published.
        if transition.plan is not None:
            await work.alone(plan_lock(transition.plan.plan_id))
        current = await work.transitions.get(transition.id, for_update=True)
        assert current is not None, "transitions are never removed"
        return current

    async def _settle(self, work: Work, ended: Transition) -> None:
        await work.transitions.save(ended)
        if ended.state is not TransitionState.COMPLETED:
            await abandon(work, await work.places.relocations_below(ended.path, self.mounts.part(ended.path)))
        state_fact(work, ended)
        await place_again(work, self.mounts, ended)


async def below(mount: Mount, path: str) -> Sequence[Status]:
    """What is at a path and in it, the innermost first, so that a container comes after what it holds.

    Raises ``ObjectNotFound``.
    """
    status = await mount.status(path)
    found: list[Status] = []
    if status.object_type is ObjectType.CONTAINER:
        for child in await mount.backend.children(mount.inner(path)):
            try:
                found += await below(mount, join(path, child.name))
            except ObjectNotFound:
                continue  # deleted since the listing
    return [*found, status]


def placed(status: Status, sha256: str | None) -> PlacedObject:
    """An observed object as events carry it."""
    return PlacedObject(
        path=status.path,
        size=status.size,
        sha256=sha256,
        storage_class=status.storage_class,
        locality=status.locality,
    )


def _path_of(transition: Transition, file: RecordFile) -> str:
    """Where a file of a record is. Raises ``BadRequest`` for a key that is no path inside of the record."""
    return transition.path + absolute(file.key)
