"""Files on disk for a while: stage, release, and back to where they were (WLCG Tape REST API v1).

Staging is a loan. The file comes to a class with a disk copy; when the last request that pinned it is released or
its time is over, it goes back to the class it came from, unless somebody gave it another class meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from indigo_kernel.db.jobs import Later
from indigo_kernel.db.uow import Job

from indigo_qos_gateway.application.batches import (
    BatchLimits,
    cancel_targets,
    check_limits,
    get_batch,
    submit_batch,
)
from indigo_qos_gateway.application.ports import NewWork, Work
from indigo_qos_gateway.domain.batch import Batch, BatchKind, Target

PINS = "pins"
"""Kind of the one job that ends pins whose time is over."""

PLACEHOLDER = "gfal2-placeholder-id"
"""What gfal2 sends as the request when it has none (``gfal-evict`` without a token): release by path alone."""

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class StageFile:
    """One file to stage; without ``lifetime`` it stays on disk as long as is usual here."""

    path: str
    lifetime: timedelta | None = None


async def request_stage(
    work: Work, limits: BatchLimits, files: Sequence[StageFile], owner: tuple[str, str]
) -> Batch:
    """Have files on disk. Of a path that is named twice the first mention counts."""
    await check_limits(work, limits, len(files), owner)
    first: dict[str, StageFile] = {}
    for file in files:
        first.setdefault(file.path, file)
    targets = [
        Target(position=position, path=file.path, lifetime=file.lifetime or limits.lifetime)
        for position, file in enumerate(first.values())
    ]
    return await submit_batch(work, BatchKind.STAGE, targets, owner)


async def release(work: Work, request_id: str, paths: Sequence[str], owner: tuple[str, str]) -> None:
    """Say that these files of a stage request are not needed on disk any longer.

    Raises ``NotFound`` for an unknown request, ``BadRequest`` for a path that is not in it.
    """
    if request_id == PLACEHOLDER:
        await work.batches.release_paths(paths, owner, work.now)
    else:
        batch = await get_batch(work, request_id, BatchKind.STAGE)
        await cancel_targets(work, batch, paths)  # what is not there yet need not come any more
        await work.batches.release(batch.id, paths, work.now)
    await send_home(work, paths)


async def cancel(work: Work, batch: Batch, paths: Sequence[str]) -> None:
    """Cancel these files of a stage request; raises as ``cancel_targets``."""
    await cancel_targets(work, batch, paths)
    await send_home(work, paths)  # what did not start may have been the last to need them


async def remove_stage(work: Work, batch: Batch) -> None:
    """Forget a stage request: what did not start is cancelled, what came to disk is released."""
    await cancel_targets(work, batch)
    paths = await work.batches.release(batch.id, None, work.now)
    await work.batches.remove(batch.id)
    await send_home(work, paths)


async def send_home(work: Work, paths: Sequence[str]) -> None:
    """Bring back every one of these files that was staged from elsewhere and that no request pins any longer."""
    if not paths:
        return
    # Pins of one path end in one transaction after another, so that the last one sees that it is the last.
    await work.alone(PINS)
    homes = await work.batches.homeless(paths)
    if homes:
        targets = [
            Target(
                position=position, path=each.path, target_class=each.home_class, expected_class=each.target_class
            )
            for position, each in enumerate(homes)
        ]
        await submit_batch(work, BatchKind.RETURN, targets, ("", ""))
        await work.batches.sent_home([each.path for each in homes])


@dataclass(frozen=True, slots=True)
class PinKeeper:
    """Ends pins whose time is over."""

    work: NewWork

    async def end_pins(self, job: Job) -> None:
        """Release what is due; raises ``Later`` until the next pin ends."""
        while True:
            async with self.work() as work:
                due = await work.batches.end_due_pins(work.now, _AT_ONCE)
                await send_home(work, due)
                if not due:
                    following = await work.batches.next_pin()
                    if following is None:
                        await work.finish(job)
                        return
                    raise Later(following - work.now, "until the next pin ends")
