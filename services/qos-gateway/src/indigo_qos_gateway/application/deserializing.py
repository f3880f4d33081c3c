"""Objects, containers, queues and references out of one serialized object (CDMI 1.1.1, clause 15)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

from indigo_contracts.envelope import Actor
from indigo_kernel.problems import Conflict

from indigo_qos_gateway.application.nodes import add_node, check_place
from indigo_qos_gateway.application.notifying import QueueLimits
from indigo_qos_gateway.application.objects import Change, Gateway
from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.application.queues import check_room, enqueue
from indigo_qos_gateway.application.viewing import View, domain_above
from indigo_qos_gateway.domain.node import Node, NodeKind
from indigo_qos_gateway.domain.notification import check_new, searches
from indigo_qos_gateway.domain.paths import Places, join
from indigo_qos_gateway.domain.serialized import Serialized
from indigo_qos_gateway.domain.storage import ObjectType


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes what was serialized. Queues that are filled tell what is ``shown`` to them (all for ``None``)."""

    actor: Actor | None
    shown: Places | None
    limits: QueueLimits


async def deserialize(
    gateway: Gateway, tree: Serialized, path: str, kind: ObjectType, change: Change, maker: Maker
) -> View:
    """Make at ``path`` what was serialized, with what ``change`` says of the outermost object.

    Everything is checked before the first object is made. Raises ``Conflict`` when it is of another kind,
    ``BadRequest`` for wishes nobody can fulfil.
    """
    check_kind(tree, kind)
    own = replace(change, metadata={**tree.metadata, **(change.metadata or {})}, metadata_names=None)
    inner = Change(groups=change.groups, operator=change.operator, domain=change.domain)
    for below, each in _all(tree, path):
        if isinstance(each.kind, ObjectType):
            await gateway.check_new(below, own if each is tree else replace(inner, metadata=each.metadata))
        elif each.kind is NodeKind.QUEUE:
            check_new(each.metadata)
            check_room(each.values, maker.limits)
    made = await _make(gateway, tree, path, own, inner, maker)
    return made if kind is ObjectType.DATAOBJECT else await gateway.view(path)


def check_kind(tree: Serialized, kind: ObjectType | NodeKind) -> None:
    """Raise ``Conflict`` unless it is of this kind."""
    if tree.kind is not kind:
        raise Conflict(f"A {tree.kind} was serialized, this makes a {kind}")


def _all(tree: Serialized, path: str) -> Iterator[tuple[str, Serialized]]:
    yield path, tree
    for each in tree.children:
        yield from _all(each, join(path, each.name))


async def _make(
    gateway: Gateway, tree: Serialized, path: str, change: Change, inner: Change, maker: Maker
) -> View:
    if tree.kind is ObjectType.DATAOBJECT:
        whole = replace(change, chunks=_once(tree.data), mimetype=tree.mimetype, encoding=tree.encoding)
        return await gateway.put_object(path, whole, None, maker.actor)
    view = await gateway.put_container(path, change, None, maker.actor)
    for each in tree.children:
        below = join(path, each.name)
        if isinstance(each.kind, NodeKind):
            await _make_node(gateway, each, each.kind, below, inner, maker)
        else:
            await _make(gateway, each, below, replace(inner, metadata=each.metadata), inner, maker)
    return view


async def _make_node(
    gateway: Gateway, tree: Serialized, kind: NodeKind, path: str, inner: Change, maker: Maker
) -> None:
    await check_place(gateway, path)
    async with gateway.work() as work:
        node = Node(
            object_id=gateway.new_id(),
            path=path,
            kind=kind,
            domain=inner.domain or await domain_above(work, path),
            created_at=work.now,
            metadata=tree.metadata,
            target=tree.target,
            shown=maker.shown,
        )
        await add_serialized(work, node, tree, maker)


async def add_serialized(work: Work, node: Node, tree: Serialized, maker: Maker) -> Node:
    """Store a new reference or queue with the values it had; what a query found it finds again."""
    made = await add_node(work, node, maker.actor)
    if tree.values and not searches(made.metadata):
        await enqueue(work, made, tree.values, maker.limits)
    return made


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
