"""Copies and moves of objects and containers inside the tree (CDMI 1.1.1, clauses 8.2 and 9.2).

A copy has its own identity, and a class of its own; a move keeps the identity. Both copy bytes: no back-end has to
be able to rename, and the two paths may be in different ones. The source of a move goes when all of it is there.
"""

from __future__ import annotations

from dataclasses import replace

from indigo_contracts.envelope import Actor
from indigo_kernel.problems import BadRequest, Conflict

from indigo_qos_gateway.application.documents import document
from indigo_qos_gateway.application.notifying import note
from indigo_qos_gateway.application.objects import Change, Gateway, View
from indigo_qos_gateway.application.transitions import moving
from indigo_qos_gateway.domain.errors import Busy, ObjectNotFound
from indigo_qos_gateway.domain.notification import COPIED, RENAMED
from indigo_qos_gateway.domain.paths import ROOT, below, join
from indigo_qos_gateway.domain.retention import check_untouched
from indigo_qos_gateway.domain.storage import ObjectType, Status

MOST_CHILDREN = 1000
"""Objects and containers one request copies; more would take longer than a request may."""


async def copy(gateway: Gateway, source: str, path: str, change: Change, actor: Actor | None) -> View:
    """Make at ``path`` what is at ``source``, with what ``change`` says in addition.

    Raises ``ObjectNotFound``, ``Offline`` for what is on tape only, ``Conflict`` for a container in itself, and
    ``BadRequest`` for one that holds too much.
    """
    status = await _source(gateway, source, path)
    await _check_size(gateway, status)
    made = await _copy(gateway, status, path, change, actor)
    async with gateway.work() as work:
        await note(work, COPIED, path, actor, document(made.stored, made.status))
    return made


async def move(gateway: Gateway, source: str, path: str, change: Change, actor: Actor | None) -> View:
    """Bring what is at ``source`` to ``path``. Raises as ``copy``, and ``Forbidden`` for what is retained."""
    status = await _source(gateway, source, path)
    if source == ROOT:
        raise BadRequest("The root container cannot be moved")
    async with gateway.work() as work:
        if await moving(work, source):
            raise Busy(source)
        for each in await work.objects.retained(source):
            check_untouched(each.path, each.metadata, work.now)
    await _check_size(gateway, status)
    await _copy(gateway, status, path, change, actor)
    async with gateway.work() as work:
        await work.objects.rename(source, path)
        await work.nodes.rename(source, path)
        await note(work, RENAMED, path, actor, cdmi_source=source)
    mount = gateway.mounts.at(source)
    await mount.backend.delete(mount.inner(source))
    return await gateway.view(path)


async def _source(gateway: Gateway, source: str, path: str) -> Status:
    status = await gateway.exists(source)
    if status is None:
        raise ObjectNotFound(source)
    if below(path, source):
        raise Conflict(f"{path} is in {source}")
    return status


async def _copy(gateway: Gateway, status: Status, path: str, change: Change, actor: Actor | None) -> View:
    view = await gateway.view(status.path)
    stored = view.stored
    given = {**stored.metadata, **(change.metadata or {})}
    change = replace(change, metadata=given, mimetype=change.mimetype or stored.mimetype, encoding=stored.encoding)
    if status.object_type is ObjectType.DATAOBJECT:
        chunks = await gateway.read(status.path)
        return await gateway.put_object(path, replace(change, chunks=chunks), None, actor)
    made = await gateway.put_container(path, change, None, actor)
    for child in view.children:
        inner = await gateway.exists(join(status.path, child.name))
        if inner is not None:  # else it was removed since the listing
            plain = Change(groups=change.groups, operator=change.operator)
            await _copy(gateway, inner, join(path, child.name), plain, actor)
    return made


async def _check_size(gateway: Gateway, status: Status) -> None:
    left, containers = MOST_CHILDREN, [status.path] if status.object_type is ObjectType.CONTAINER else []
    while containers:
        container = containers.pop()
        mount = gateway.mounts.at(container)
        children = await mount.backend.children(mount.inner(container))
        left -= len(children)
        if left < 0:
            raise BadRequest(f"{status.path} holds more than {MOST_CHILDREN} objects; copy it in parts")
        containers += [join(container, each.name) for each in children if each.object_type is ObjectType.CONTAINER]
