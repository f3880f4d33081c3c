"""References and queues in the tree: making, finding, changing and removing them.

An object and one of these never share a path: storage is asked first, and one that comes second is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from indigo_contracts.envelope import Actor
from indigo_kernel.problems import Conflict

from indigo_qos_gateway.application.arriving import name_lock
from indigo_qos_gateway.application.documents import node_document
from indigo_qos_gateway.application.node_ports import Like
from indigo_qos_gateway.application.notifying import note
from indigo_qos_gateway.application.objects import TRANSFERS, Gateway
from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.application.querying import start_query
from indigo_qos_gateway.application.viewing import OWNERS, check_owned
from indigo_qos_gateway.domain.domain import DOMAINS
from indigo_qos_gateway.domain.errors import Busy, ObjectNotFound
from indigo_qos_gateway.domain.metadata import updated
from indigo_qos_gateway.domain.node import Node, NodeKind
from indigo_qos_gateway.domain.notification import (
    CREATED,
    DELETED,
    MODIFIED,
    PROCESSING,
    REFERENCED,
    TYPE,
    check_changed,
    check_new,
    searches,
)
from indigo_qos_gateway.domain.paths import ORPHANS, Places, parent
from indigo_qos_gateway.domain.storage import ObjectType


async def find_node(gateway: Gateway, path: str) -> Node | None:
    """The reference or queue at a path."""
    async with gateway.work() as work:
        return await work.nodes.find(path)


async def get_queue(work: Work, path: str, *, for_update: bool = False) -> Node:
    """Raises ``ObjectNotFound``, ``Conflict`` for a reference."""
    node = await work.nodes.find(path, for_update=for_update)
    if node is None:
        raise ObjectNotFound(path)
    if node.kind is not NodeKind.QUEUE:
        raise Conflict(f"{path} is a {node.kind}, not a queue")
    return node


async def check_place(gateway: Gateway, path: str) -> None:
    """Raise ``Conflict`` when there is something at the path, ``ObjectNotFound`` when its container is missing."""
    if await gateway.exists(path) is not None:
        raise Conflict(f"{path} is there already")
    if parent(path) == ORPHANS:
        return
    container = await gateway.exists(parent(path))
    if container is None or container.object_type is not ObjectType.CONTAINER:
        raise ObjectNotFound(parent(path))


async def add_node(work: Work, node: Node, actor: Actor | None) -> Node:
    """Store a new reference or queue; a query queue begins to be filled.

    Raises ``Busy`` while a copy, a move or a removal is about its path, or bytes come to it, ``Conflict`` when it
    is taken or its domain is gone, and ``BadRequest`` for a queue that cannot be filled as it says.
    """
    await work.beside(TRANSFERS, OWNERS)
    await work.alone(name_lock(node.path))
    if await work.transfers.over(node.path) or await work.arrivals.coming(node.path, work.now):
        raise Busy(node.path)
    await check_owned(work, node.path, node.domain)
    if node.kind is NodeKind.QUEUE:
        node = replace(node, metadata=check_new(node.metadata))
        if searches(node.metadata):
            node = replace(node, status=PROCESSING)
    if not await work.nodes.add(node):
        raise Conflict(f"{node.path} is there already")
    if searches(node.metadata):
        await start_query(work, node)
    event = REFERENCED if node.kind is NodeKind.REFERENCE else CREATED
    await note(work, event, node.path, actor, node_document(node))
    return node


async def change_queue(
    work: Work,
    node: Node,
    metadata: Mapping[str, Any],
    names: tuple[str, ...] | None,
    actor: Actor | None,
    shown: Places | None,
) -> Node:
    """Give a queue other metadata. Raises ``Forbidden`` for what it was made with.

    One the gateway fills from now on tells what is ``shown`` to the one who says so, whoever made it.
    """
    kept = check_changed(node.metadata, updated(node.metadata, metadata, names))
    if searches(kept) and not searches(node.metadata):
        await work.nodes.set_status(node.object_id, PROCESSING)
        await work.nodes.advance(node.object_id, None)
        await start_query(work, node)
    changed = replace(node, metadata=kept)
    if node.metadata.get(TYPE) is None and kept.get(TYPE) is not None:
        changed = replace(changed, shown=shown)
    await work.nodes.save(changed)
    await note(work, MODIFIED, node.path, actor, node_document(changed))
    return changed


async def copy_nodes(work: Work, source: str, path: str, new_id: Callable[[], str], shown: Places | None) -> None:
    """Have the references and queues of a container in its copy, with the values of queues.

    Those the gateway fills tell what is ``shown`` to the one who copies, from now on.
    """
    container = await work.objects.find(path)
    like = Like(container.domain if container else DOMAINS, shown, work.now)
    for made in await work.nodes.copy(source, path, new_id, like):
        if searches(made.metadata) and made.status == PROCESSING:
            await start_query(work, made)


async def remove_node(work: Work, node: Node, actor: Actor | None) -> None:
    """Remove a reference, not what it leads to, or a queue with its values."""
    await work.nodes.forget(node.path)
    await note(work, DELETED, node.path, actor, node_document(node))
