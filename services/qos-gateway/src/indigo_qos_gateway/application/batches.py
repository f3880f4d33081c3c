"""Requests for many changes of class at once: taken in whole, looked at, cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from indigo_kernel.ids import new_id
from indigo_kernel.problems import BadRequest, NotFound, TooLarge, TooManyRequests

from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.domain.batch import Batch, BatchKind, Target

JOB = "batch"


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """``targets`` of one request, ``active`` requests of one person that are not over, usual time on disk."""

    targets: int
    active: int
    lifetime: timedelta


async def submit_batch(
    work: Work,
    kind: BatchKind,
    targets: Sequence[Target],
    owner: tuple[str, str],
    target_class: str | None = None,
) -> Batch:
    """Store a request in one go; a worker looks at what is at the paths and carries it out."""
    batch = Batch(
        id=new_id(),
        kind=kind,
        owner=owner,
        requested_at=work.now,
        total=len(targets),
        target_class=target_class,
    )
    await work.batches.add(batch, targets)
    await work.enqueue(JOB, batch.id, {"batch_id": batch.id})
    return batch


async def check_limits(work: Work, limits: BatchLimits, count: int, owner: tuple[str, str]) -> None:
    """Raise ``TooLarge`` for too many targets, ``TooManyRequests`` for too many requests of one person."""
    if count > limits.targets:
        raise TooLarge(f"One request has at most {limits.targets} targets", max_targets=limits.targets)
    if await work.batches.active_of(owner) >= limits.active:
        raise TooManyRequests(
            f"{limits.active} of your requests are not over yet; wait for them or cancel some",
            headers={"retry-after": "60"},
        )


async def get_batch(work: Work, batch_id: str, kind: BatchKind) -> Batch:
    """Raises ``NotFound``; a request that was removed is not found either."""
    found = await work.batches.get(batch_id)
    if found is None or found.kind is not kind:
        raise NotFound(f"There is no {kind} request {batch_id}")
    return found


async def cancel_targets(work: Work, batch: Batch, paths: Sequence[str] | None = None) -> None:
    """Cancel these targets, or all; those that are over stay as they are.

    Raises ``BadRequest``, with nothing changed, for a path that is not in the request.
    """
    if paths is not None:
        unknown = sorted(set(paths) - await work.batches.known(batch.id, paths))
        if unknown:
            raise BadRequest(f"{unknown[0]} is not in the request {batch.id}", paths=unknown[:50])
    await work.batches.cancel(batch.id, paths, work.now)
    await work.enqueue(JOB, batch.id, {"batch_id": batch.id})


def distinct(paths: Sequence[str]) -> list[str]:
    """The paths without repetition, in their order."""
    return list(dict.fromkeys(paths))
