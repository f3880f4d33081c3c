"""Values of queues: in, out, and from one queue to another.

Source: CDMI 1.1.1, clauses 11.2, 11.4, 11.6 and 11.7.
"""

from __future__ import annotations

from collections.abc import Sequence

from indigo_kernel.problems import BadRequest, Conflict

from indigo_qos_gateway.application.notifying import QueueLimits, push
from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.node import MOST_VALUE_BYTES, Node, Value, Which
from indigo_qos_gateway.domain.selection import Span


async def queue_extent(work: Work, queue: Node) -> Span | None:
    """The numbers of its oldest and newest value; ``None`` when it is empty."""
    found = await work.queues.extent(queue.object_id)
    return None if found is None else Span(*found)


def check_room(values: Sequence[Value], limits: QueueLimits) -> None:
    """Raise ``Conflict`` for more values than an empty queue takes."""
    if len(values) > limits.values or sum(len(each.data) for each in values) > limits.bytes:
        raise Conflict(f"A queue holds at most {limits.values} values of {limits.bytes} bytes together")


async def enqueue(work: Work, queue: Node, values: Sequence[Value], limits: QueueLimits) -> None:
    """Append values, all or none. Raises ``BadRequest`` for one that is too big, ``Conflict`` when it is full."""
    for value in values:
        if len(value.data) > MOST_VALUE_BYTES:
            raise BadRequest(f"A value of a queue has at most {MOST_VALUE_BYTES} bytes")
    if not await push(work, queue.object_id, list(values), limits):
        raise Conflict(
            f"{queue.path} is full: a queue holds at most {limits.values} values of {limits.bytes} bytes together"
        )


async def transfer(
    work: Work, source: Node, queue: Node, which: Which, limits: QueueLimits, *, keep: bool
) -> None:
    """Append values of one queue to another; unless they are to be kept they leave the first one.

    Raises ``ObjectNotFound`` when the source has no such values, and as ``enqueue``.
    """
    if source.object_id == queue.object_id:
        raise BadRequest("A queue is not appended to itself")
    if not keep:
        # Else somebody takes the values out meanwhile, and others are removed in their place.
        await work.queues.hold([source.object_id, queue.object_id])
        await _check_oldest(work, source, which)
    values = await work.queues.peek(source.object_id, which, most_bytes=limits.bytes)
    if not values and which != Which():
        raise ObjectNotFound(f"{source.path} has no such values")
    await enqueue(work, queue, values, limits)
    if not keep:
        await work.queues.drop(source.object_id, which)


async def dequeue(work: Work, queue: Node, which: Which) -> None:
    """Remove values. Raises ``ObjectNotFound`` when there are none, ``BadRequest`` for some in the middle."""
    await _check_oldest(work, queue, which)
    if not await work.queues.drop(queue.object_id, which):
        raise ObjectNotFound(f"{queue.path} has no such values")


async def _check_oldest(work: Work, queue: Node, which: Which) -> None:
    """Values leave a queue from its old end: what is left is always one range of numbers."""
    extent = await queue_extent(work, queue)
    if which.span is not None and extent is not None and extent.first < which.span.first <= extent.last:
        raise BadRequest(f"The oldest value is number {extent.first}; values are removed from there on")
