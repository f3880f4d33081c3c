"""Objects, containers and queues as one serialized object (CDMI 1.1.1, clause 15).

Bounded in bytes and entries: it happens in memory within one request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter

from indigo_kernel.problems import BadRequest, Conflict

from indigo_qos_gateway.application.objects import Gateway
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.node import Node, NodeKind, Which
from indigo_qos_gateway.domain.paths import join, name
from indigo_qos_gateway.domain.serialized import MOST_BYTES, MOST_DEPTH, MOST_ENTRIES, Serialized, written_form
from indigo_qos_gateway.domain.storage import ObjectType

_TOO_MUCH = f"A serialized object has at most {MOST_ENTRIES} entries, {MOST_DEPTH} deep, and {MOST_BYTES} bytes"


@dataclass(slots=True)
class _Budget:
    """What may still go into a serialized object."""

    bytes: int = MOST_BYTES
    entries: int = MOST_ENTRIES

    def take(self, size: int) -> None:
        self.bytes -= size
        self.entries -= 1
        if self.bytes < 0 or self.entries < 0:
            raise BadRequest(_TOO_MUCH)


async def serialize(gateway: Gateway, source: str, check_read: Callable[[str], None]) -> bytes:
    """The canonical form of what is at ``source``; ``check_read`` raises for a path that may not be read.

    Raises ``ObjectNotFound``, ``Offline`` for what is on tape only, ``BadRequest`` for what is too much, and
    ``Conflict`` for an object that is not complete and for a reference by itself.
    """
    text = written_form(await _Serializer(gateway, check_read).whole(source))
    if len(text) > MOST_BYTES:
        raise BadRequest(_TOO_MUCH)
    return text


async def read_serialized(gateway: Gateway, source: str) -> bytes:
    """The value of an object that has a serialized one.

    Raises ``ObjectNotFound``, ``Offline``, ``BadRequest`` for what is too much, and ``Conflict`` for what is no
    object, or not complete.
    """
    view = await gateway.view(source)
    if view.status.object_type is not ObjectType.DATAOBJECT:
        raise Conflict(f"{source} is a container, not a serialized object")
    if view.stored.partial:
        raise Conflict(f"{source} is not complete")
    if view.status.size > MOST_BYTES:
        raise BadRequest(_TOO_MUCH)
    return b"".join([chunk async for chunk in gateway.read(view.status)])


@dataclass(frozen=True, slots=True)
class _Serializer:
    gateway: Gateway
    check_read: Callable[[str], None]
    budget: _Budget = field(default_factory=_Budget)

    async def whole(self, source: str) -> Serialized:
        async with self.gateway.work() as work:
            node = await work.nodes.find(source)
        if node is None:
            return await self._object(source, 0)
        if node.kind is NodeKind.REFERENCE:
            raise Conflict(f"{source} is a reference; name what it leads to")
        return await self._node(node)

    async def _object(self, path: str, depth: int) -> Serialized:
        self.check_read(path)
        view = await self.gateway.view(path)
        status, stored = view.status, view.stored
        if depth > MOST_DEPTH:
            raise BadRequest(_TOO_MUCH)
        if status.object_type is ObjectType.DATAOBJECT:
            if stored.partial:
                raise Conflict(f"{path} is not complete")
            self.budget.take(status.size)
            data = b"".join([chunk async for chunk in self.gateway.read(status)])
            known = (stored.metadata, stored.mimetype, stored.encoding, data)
            return Serialized(status.object_type, name(path), *known)
        self.budget.take(0)
        children = []
        for child in view.children:
            try:
                children.append(await self._object(join(path, child.name), depth + 1))
            except ObjectNotFound:
                continue  # it was removed since the listing
        if view.nodes:
            async with self.gateway.work() as work:
                nodes = await work.nodes.inside(path)
            children += [await self._node(each) for each in nodes]
        children.sort(key=attrgetter("name"))
        return Serialized(status.object_type, name(path), stored.metadata, children=children)

    async def _node(self, node: Node) -> Serialized:
        self.check_read(node.path)
        if node.kind is NodeKind.REFERENCE:
            self.budget.take(0)
            return Serialized(node.kind, name(node.path), node.metadata, target=node.target)
        async with self.gateway.work() as work:
            left = self.budget.bytes
            values = await work.queues.peek(node.object_id, Which(), most_bytes=left)
        self.budget.take(sum(len(each.data) for each in values))
        return Serialized(node.kind, name(node.path), node.metadata, values=values)
