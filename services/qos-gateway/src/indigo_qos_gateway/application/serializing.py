"""Objects and containers as one serialized object, and back (CDMI 1.1.1, clause 15).

Bounded in bytes and entries: both happen in memory within one request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

from indigo_contracts.envelope import Actor
from indigo_kernel.problems import BadRequest, Conflict

from indigo_qos_gateway.application.objects import Change, Gateway
from indigo_qos_gateway.application.viewing import View
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.paths import join, name
from indigo_qos_gateway.domain.serialized import MOST_BYTES, MOST_DEPTH, MOST_ENTRIES, Serialized, written_form
from indigo_qos_gateway.domain.storage import ObjectType

_TOO_MUCH = f"A serialized object has at most {MOST_ENTRIES} entries, {MOST_DEPTH} deep, and {MOST_BYTES} bytes"


class _Budget:
    """What may still go into a serialized object."""

    def __init__(self) -> None:
        self._bytes, self._entries = MOST_BYTES, MOST_ENTRIES

    def take(self, size: int) -> None:
        self._bytes -= size
        self._entries -= 1
        if self._bytes < 0 or self._entries < 0:
            raise BadRequest(_TOO_MUCH)


async def serialize(gateway: Gateway, source: str, check_read: Callable[[str], None]) -> bytes:
    """The canonical form of what is at ``source``; ``check_read`` raises for a path that may not be read.

    Raises ``ObjectNotFound``, ``Offline`` for what is on tape only, ``BadRequest`` for what is too much.
    """
    text = written_form(await _tree(gateway, source, check_read, _Budget(), 0))
    if len(text) > MOST_BYTES:
        raise BadRequest(_TOO_MUCH)
    return text


async def read_serialized(gateway: Gateway, source: str) -> bytes:
    """The value of an object that has a serialized one. Raises ``ObjectNotFound``, ``BadRequest``, ``Offline``."""
    view = await gateway.view(source)
    if view.status.object_type is not ObjectType.DATAOBJECT:
        raise Conflict(f"{source} is a container, not a serialized object")
    if view.status.size > MOST_BYTES:
        raise BadRequest(_TOO_MUCH)
    return b"".join([chunk async for chunk in gateway.read(view.status)])


async def deserialize(
    gateway: Gateway, tree: Serialized, path: str, kind: ObjectType, change: Change, actor: Actor | None
) -> View:
    """Make at ``path`` what was serialized, with what ``change`` says of the outermost object.

    Everything is checked before the first object is made. Raises ``Conflict`` when it is of the other kind,
    ``BadRequest`` for wishes nobody can fulfil.
    """
    if tree.kind is not kind:
        raise Conflict(f"A {tree.kind} was serialized, this makes a {kind}")
    own = replace(change, metadata={**tree.metadata, **(change.metadata or {})}, metadata_names=None)
    inner = Change(groups=change.groups, operator=change.operator, domain=change.domain)
    for below, each in _all(tree, path):
        await gateway.check_new(below, own if each is tree else replace(inner, metadata=each.metadata))
    made = await _make(gateway, tree, path, own, inner, actor)
    return made if kind is ObjectType.DATAOBJECT else await gateway.view(path)


def _all(tree: Serialized, path: str) -> Iterator[tuple[str, Serialized]]:
    yield path, tree
    for each in tree.children:
        yield from _all(each, join(path, each.name))


async def _make(
    gateway: Gateway, tree: Serialized, path: str, change: Change, inner: Change, actor: Actor | None
) -> View:
    if tree.kind is ObjectType.DATAOBJECT:
        whole = replace(change, chunks=_once(tree.data), mimetype=tree.mimetype, encoding=tree.encoding)
        return await gateway.put_object(path, whole, None, actor)
    view = await gateway.put_container(path, change, None, actor)
    for each in tree.children:
        own = replace(inner, metadata=each.metadata)
        await _make(gateway, each, join(path, each.name), own, inner, actor)
    return view


async def _tree(
    gateway: Gateway, path: str, check_read: Callable[[str], None], budget: _Budget, depth: int
) -> Serialized:
    check_read(path)
    view = await gateway.view(path)
    status, stored = view.status, view.stored
    if depth > MOST_DEPTH:
        raise BadRequest(_TOO_MUCH)
    if status.object_type is ObjectType.DATAOBJECT:
        if stored.partial:
            raise Conflict(f"{path} is not complete")
        budget.take(status.size)
        data = b"".join([chunk async for chunk in gateway.read(status)])
        return Serialized(status.object_type, name(path), stored.metadata, stored.mimetype, stored.encoding, data)
    budget.take(0)
    children = []
    for child in view.children:
        try:
            children.append(await _tree(gateway, join(path, child.name), check_read, budget, depth + 1))
        except ObjectNotFound:
            continue  # it was removed since the listing
    return Serialized(status.object_type, name(path), stored.metadata, children=children)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
