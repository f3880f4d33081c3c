"""Brings one object from one back-end to another: copy, read back, bring to its class, switch the name, clean up.

Each stage is stored before the next one begins, and can be done again. Until the switch the source is untouched,
so that a relocation that ends in any other way leaves nothing but a copy to be removed. What is removed is a job
of its own, stored in the transaction that made it superfluous.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from indigo_contracts.qos import Locality
from indigo_kernel.db.jobs import Later
from indigo_kernel.db.uow import Job
from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.application.ports import Backend, NewWork, Work
from indigo_qos_gateway.domain.batch import staged_class
from indigo_qos_gateway.domain.errors import Busy, Impossible, ObjectNotFound, StorageDamage
from indigo_qos_gateway.domain.relocation import Place, Relocation, Stage, is_hidden
from indigo_qos_gateway.domain.storage import Content, StepState

log = structlog.get_logger()

LEFTOVERS = "leftovers"
"""Kind of the jobs that remove what a relocation left behind."""

_LOOK = 1.0
"""Seconds between looks at a step of a back-end, and between notes of how far a copy is."""

_SLOWEST = 1_000_000
"""Bytes a second a back-end reads at least when it says what it holds."""

_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Relocator:
    """``backends`` are all there are, by name. ``stall`` is how long a copy may stand still."""

    work: NewWork
    backends: Mapping[str, Backend]
    stall: timedelta

    async def run(self, relocation: Relocation) -> None:
        """From the stage it is at to its end. Raises ``Busy`` when somebody ended it or changed the source."""
        if relocation.stage is Stage.COPYING:
            relocation = await self._copied(relocation)
        if relocation.stage is Stage.COPIED:
            await _reach(self._backend(relocation.backend), relocation.inner, relocation.storage_class)
            relocation = await self._stored(replace(relocation, stage=Stage.PLACED))
        await self._switch(relocation)

    async def remove(self, job: Job) -> None:
        """Remove what a relocation left behind, or find that it is not left behind any more."""
        path, backend, inner = (str(job.payload[each]) for each in ("path", "backend", "inner"))
        try:
            if job.payload.get("back_to"):
                source = self._backend(str(job.payload["source_backend"]))
                with contextlib.suppress(ObjectNotFound):  # somebody removed it since
                    await _reach(source, str(job.payload["source_inner"]), str(job.payload["back_to"]))
            async with self.work() as work:
                await work.alone(place_lock(path))
                if await self._superfluous(work, path, backend, inner):
                    try:
                        await self._backend(backend).delete(inner)
                    except ObjectNotFound:
                        log.debug("leftover.gone", backend=backend, path=inner)
                await work.finish(job)
        except (Unavailable, OSError, Impossible, Busy, StorageDamage) as error:
            # It takes no harm by waiting, and nobody would look for it if it were given up.
            raise Later(_AGAIN, str(error)) from error

    def _backend(self, name: str) -> Backend:
        found = self.backends.get(name)
        if found is None:
            raise Impossible(f"The back-end {name} is not mounted any more")
        return found

    async def _superfluous(self, work: Work, path: str, backend: str, inner: str) -> bool:
        """Whether these bytes are nobody's. Names out of sight are used once; others may have been used again."""
        place = await work.places.find(path)
        if place is not None and (place.backend, place.inner) == (backend, inner):
            return False
        coming = [each for each in await work.places.relocations([path]) if each.inner == inner]
        return not coming and (is_hidden(inner) or place is not None)

    async def _copied(self, relocation: Relocation) -> Relocation:
        source, target = self._backend(relocation.source_backend), self._backend(relocation.backend)
        relocation = await self._readable(relocation, source)
        before = await source.status(relocation.source_inner)
        try:
            content, read = await self._copy(relocation, source, target)
            async with asyncio.timeout(self.stall.total_seconds() + before.size / _SLOWEST):
                held = await target.digest(relocation.inner)
        except TimeoutError:
            raise StorageDamage(
                f"Copying {relocation.path} from {source.name} to {target.name} stood still for {self.stall}"
            ) from None
        after = await source.status(relocation.source_inner)
        if (read.size, after.size, after.modified) != (before.size, before.size, before.modified):
            raise Busy(relocation.path)
        async with self.work() as work:
            stored = (await work.objects.checksums([relocation.path])).get(relocation.path)
        for wanted in (stored, before.sha256):
            if wanted not in {None, read.sha256}:
                raise StorageDamage(f"{relocation.path} has SHA-256 {read.sha256}, {wanted} was stored")
        if content != read or held != read.sha256:
            raise StorageDamage(
                f"{target.name} holds SHA-256 {held} of {relocation.path}, {read.sha256} was copied to it"
            )
        return await self._stored(
            replace(relocation, stage=Stage.COPIED, size=read.size, bytes_done=read.size, modified=after.modified)
        )

    async def _copy(self, relocation: Relocation, source: Backend, target: Backend) -> tuple[Content, Content]:
        """What the target says it stored, and what was read of the source."""
        digest, size, noted = hashlib.sha256(), 0, time.monotonic()
        clock, stall = asyncio.get_running_loop().time, self.stall.total_seconds()
        async with asyncio.timeout(stall) as limit:

            async def chunks() -> AsyncIterator[bytes]:
                nonlocal size, noted
                async for chunk in source.read(relocation.source_inner):
                    digest.update(chunk)
                    size += len(chunk)
                    limit.reschedule(clock() + stall)
                    if time.monotonic() - noted >= _LOOK:
                        noted = time.monotonic()
                        await self._stored(replace(relocation, bytes_done=size))
                    yield chunk

            content = await target.write(relocation.inner, chunks())
        return content, Content(size, digest.hexdigest())

    async def _readable(self, relocation: Relocation, source: Backend) -> Relocation:
        """Have the source recalled, when its bytes are on tape only."""
        status = await source.status(relocation.source_inner)
        if status.readable:
            return relocation
        if status.locality is not Locality.TAPE:
            raise StorageDamage(f"{relocation.path} is {status.locality.value} in {source.name}")
        near = staged_class(status, source.classes())
        if near is None:
            raise Impossible(f"{source.name} has no class with a disk copy for {relocation.path}")
        if relocation.recalled_from is None:
            relocation = await self._stored(replace(relocation, recalled_from=status.storage_class))
        await _reach(source, relocation.source_inner, near)
        return relocation

    async def _switch(self, relocation: Relocation) -> None:
        source, target = self._backend(relocation.source_backend), self._backend(relocation.backend)
        before, copy = await source.status(relocation.source_inner), await target.status(relocation.inner)
        if (before.size, before.modified) != (relocation.size, relocation.modified):
            await self._stored(replace(relocation, stage=Stage.COPYING, bytes_done=0))
            raise Busy(relocation.path)
        if (copy.storage_class, copy.size) != (relocation.storage_class, relocation.size):
            raise StorageDamage(f"{target.name} has no longer what was copied of {relocation.path}")
        async with self.work() as work:
            await work.alone(place_lock(relocation.path))
            ours = await work.places.end_relocation(relocation.id)
            if not ours:
                await leave_copy(work, relocation)
            elif is_hidden(relocation.inner):
                await work.places.save(Place(relocation.path, relocation.backend, relocation.inner))
            else:  # it came home
                await work.places.remove([relocation.path])
            if ours:
                await leave(work, relocation.path, relocation.source_backend, relocation.source_inner)
        if not ours:
            raise Busy(relocation.path)

    async def _stored(self, relocation: Relocation) -> Relocation:
        """Keep how far it is. Raises ``Busy`` when somebody ended it: what was copied since is removed."""
        async with self.work() as work:
            kept = await work.places.save_relocation(relocation)
            if not kept:
                await leave_copy(work, relocation)
        if not kept:
            raise Busy(relocation.path)
        return relocation


async def abandon(work: Work, relocations: Sequence[Relocation]) -> None:
    """End these: the sources stay what they are, the copies are removed."""
    for each in relocations:
        await work.places.end_relocation(each.id)
        await leave_copy(work, each)


async def leave(work: Work, path: str, backend: str, inner: str) -> None:
    """Have bytes removed that are not those of ``path`` any more."""
    await _leave(work, {"path": path, "backend": backend, "inner": inner})


async def leave_copy(work: Work, relocation: Relocation) -> None:
    """Have the copy removed, and the source brought back to tape if it was recalled to be read."""
    payload = {"path": relocation.path, "backend": relocation.backend, "inner": relocation.inner}
    if relocation.recalled_from is not None:
        payload |= {
            "source_backend": relocation.source_backend,
            "source_inner": relocation.source_inner,
            "back_to": relocation.recalled_from,
        }
    await _leave(work, payload)


async def _leave(work: Work, payload: dict[str, str]) -> None:
    await work.enqueue(LEFTOVERS, f"{payload['backend']} {payload['inner']}", payload)


def place_lock(path: str) -> str:
    """The key of the lock under which an object's place changes."""
    return f"place {path}"


async def _reach(backend: Backend, inner: str, wanted: str) -> None:
    """Bring one object to a class inside its back-end. Raises ``Busy`` when the back-end forgot about it."""
    if (await backend.status(inner)).storage_class == wanted:
        return
    handle = await backend.start(inner, wanted)
    try:
        while (progress := await backend.poll(inner, handle, _LOOK)).state is StepState.RUNNING:
            pass
    except asyncio.CancelledError:
        await backend.cancel(inner, handle)
        raise
    if progress.state is StepState.UNKNOWN:
        raise Busy(inner)
    if progress.state is StepState.FAILED:
        raise StorageDamage(progress.error or f"{inner} did not come to {wanted} in {backend.name}")
    status = await backend.status(inner)
    if status.storage_class != wanted:
        raise StorageDamage(f"{inner} is still at {status.storage_class} in {backend.name}")
