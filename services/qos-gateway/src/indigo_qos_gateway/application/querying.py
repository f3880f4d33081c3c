"""Query queues: a durable job walks the tree and puts what it finds into the queue.

The walk goes in the order of the names and notes where it is with the values it found, so that a worker that is
killed is followed by one that goes on there: nothing is told twice, nothing is left out. A query waits while its
queue is full.

Source: CDMI 1.1.1, clause 21.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

from indigo_kernel.db.jobs import Later
from indigo_kernel.db.uow import Job
from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.application.documents import document
from indigo_qos_gateway.application.notifying import QueueLimits, push
from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.application.viewing import Tree, View
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.node import Node, Value
from indigo_qos_gateway.domain.notification import CURRENT, RESULTS, SCOPE, searches
from indigo_qos_gateway.domain.paths import ROOT, join
from indigo_qos_gateway.domain.scope import matches, told
from indigo_qos_gateway.domain.storage import ObjectType

QUERIES = "queries"
"""Kind of the jobs; the key is the identifier of the queue."""

_CHUNK = 200
"""Objects looked at between two notes of where the walk is."""

_WAIT = timedelta(seconds=30)


async def start_query(work: Work, queue: Node) -> None:
    """Have a query queue filled."""
    await work.enqueue(QUERIES, queue.object_id, {"queue": queue.object_id})


class Searcher:
    """Carries out the jobs."""

    def __init__(self, gateway: Tree, limits: QueueLimits) -> None:
        self._gateway = gateway
        self._limits = limits

    async def search(self, job: Job) -> None:
        """Fill a queue. A storage that does not answer is waited for: nobody would learn that it was given up."""
        try:
            await self._search(job)
        except (Unavailable, OSError) as error:
            raise Later(_WAIT, str(error)) from error

    async def _search(self, job: Job) -> None:
        object_id = job.payload["queue"]
        async with self._gateway.work() as work:
            queue = await work.nodes.by_id(object_id)
            after = await work.nodes.progress(object_id)
        if queue is None or not searches(queue.metadata):
            return
        found: list[Value] = []
        looked = 0
        most = min(_CHUNK, self._limits.values)
        async for view in self._below(ROOT, after):
            path = view.status.path
            described = document(view.stored, view.status)
            if queue.shows(path) and matches(queue.metadata[SCOPE], described):
                text = json.dumps(told(queue.metadata[RESULTS], described))
                found.append(Value("application/json", "utf-8", text.encode()))
            looked += 1
            if looked % _CHUNK == 0 or len(found) == most:
                async with self._gateway.work() as work:
                    await self._keep(work, object_id, found)
                    await work.nodes.advance(object_id, path)
                found = []
        async with self._gateway.work() as work:
            await self._keep(work, object_id, found)
            await work.nodes.set_status(object_id, CURRENT)
            await work.finish(job)

    async def _keep(self, work: Work, object_id: str, found: list[Value]) -> None:
        if not await push(work, object_id, found, self._limits):
            raise Later(_WAIT, "the queue is full")

    async def _below(self, container: str, after: str | None) -> AsyncIterator[View]:
        """What is in a container and below it, by name, behind ``after``; first the container."""
        try:
            view = await self._gateway.view(container)
        except ObjectNotFound:
            return  # it was removed since it was listed
        if after is None:
            yield view
        for child in sorted(view.children, key=lambda each: each.name):
            path = join(container, child.name)
            order = path.split("/")
            reached = after.split("/") if after is not None else []
            if order < reached[: len(order)]:
                continue
            rest = after if order == reached[: len(order)] else None
            if child.object_type is ObjectType.CONTAINER:
                async for inner in self._below(path, rest):
                    yield inner
            elif rest is None:
                try:
                    yield await self._gateway.view(path)
                except ObjectNotFound:
                    continue
