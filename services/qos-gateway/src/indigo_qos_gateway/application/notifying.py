"""Notification queues: what happens to objects is noted with the change, and put into the queues by a durable job.

A change costs one look whether anybody listens, however many do; the queues are filled afterwards. An event is put
into all of its queues in one transaction, once. Events come nearly in the order of the changes; each has its time.

Source: CDMI 1.1.1, clause 20.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from indigo_contracts.envelope import Actor
from indigo_kernel.db.jobs import Later
from indigo_kernel.db.uow import Job
from indigo_kernel.ids import new_id
from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.application.documents import instant
from indigo_qos_gateway.application.ports import NewWork, Work
from indigo_qos_gateway.domain.node import Value
from indigo_qos_gateway.domain.notification import RESULTS, SCOPE, wants
from indigo_qos_gateway.domain.scope import matches, told

NOTIFICATIONS = "notifications"
"""Kind of the jobs, one for each event."""

_JSON = "application/json"

_WAIT = timedelta(seconds=30)
"""How long an event waits for a storage that does not say what the event is about."""

Look = Callable[[str], Awaitable[dict[str, Any] | None]]
"""The document of what is at a path now; ``None`` when nothing is."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How many values one queue holds at most, and how many bytes they have together."""

    values: int
    bytes: int


async def note(
    work: Work,
    event: str,
    path: str,
    actor: Actor | None,
    document: Mapping[str, Any] | None = None,
    at: datetime | None = None,
    **more: str,
) -> None:
    """Have what happened (``at`` a time that is now when absent) told to those who asked.

    Without a ``document`` it is read when it is told.
    """
    if not await work.nodes.anyone_listens():
        return
    happened = {
        "cdmi_event": event,
        "cdmi_event_result": "OK",
        "cdmi_event_time": instant(at or work.now),
        "cdmi_event_user": f"{actor.iss} {actor.sub}" if actor else "",
        **more,
    }
    payload = {"path": path, "happened": happened, "document": None if document is None else dict(document)}
    await work.enqueue(NOTIFICATIONS, new_id(), payload)


class Notifier:
    """Carries out the jobs."""

    def __init__(self, work: NewWork, look: Look, limits: QueueLimits) -> None:
        self._work = work
        self._look = look
        self._limits = limits

    async def tell(self, job: Job) -> None:
        path, happened = job.payload["path"], job.payload["happened"]
        try:
            document = job.payload["document"] or await self._look(path) or {}
        except (Unavailable, OSError) as error:
            raise Later(_WAIT, str(error)) from error  # were it given up, it would be told to nobody
        full = {**document, **happened}
        async with self._work() as work:
            for queue in await work.nodes.listening():
                asked = queue.metadata
                shown = queue.shows(path) and queue.shows(happened.get("cdmi_source", path))
                if not (shown and wants(asked, happened["cdmi_event"]) and matches(asked[SCOPE], full)):
                    continue
                text = json.dumps(told(asked[RESULTS], full)).encode()
                if not await push(work, queue.object_id, [Value(_JSON, "utf-8", text)], self._limits):
                    await work.queues.lose(queue.object_id, 1)
            await work.finish(job)


async def push(work: Work, object_id: str, values: list[Value], limits: QueueLimits) -> bool:
    """Append values to a queue; False when they do not fit."""
    return await work.queues.push(object_id, values, most=limits.values, most_bytes=limits.bytes)
