"""Which back-end holds which part of the tree."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from indigo_contracts.dmp import StoragePromise
from indigo_kernel.auth.principal import Principal

from indigo_qos_gateway.application.paging import Paged
from indigo_qos_gateway.application.ports import Backend
from indigo_qos_gateway.domain.errors import CapabilitiesNotFound, Impossible
from indigo_qos_gateway.domain.listing import Part
from indigo_qos_gateway.domain.paths import ORPHANS, ROOT, Places, below, join, lineage, name, parent
from indigo_qos_gateway.domain.selection import Span
from indigo_qos_gateway.domain.storage import CAPABILITIES, Attribute, Child, ObjectType, Status, StorageClass

RECORDS = "records"
"""Container below a mount that has the preservation copies, one container per record."""


@dataclass(frozen=True, slots=True)
class Members:
    """Whom a mount belongs to: everybody of an issuer, or those in one of ``groups`` as that issuer says."""

    issuer: str
    groups: frozenset[str] = frozenset()

    def include(self, who: Principal) -> bool:
        return who.iss == self.issuer and (not self.groups or not self.groups.isdisjoint(who.groups))


@dataclass(frozen=True, slots=True)
class Mount:
    """A back-end at a path of the tree. Without ``members`` it belongs to nobody in particular."""

    prefix: str
    backend: Backend
    members: Members | None = None

    def inner(self, path: str) -> str:
        """The back-end's own path for one of the tree."""
        return path if self.prefix == ROOT else path[len(self.prefix) :] or ROOT

    def outer(self, path: str) -> str:
        """The path in the tree for one of the back-end."""
        return path if self.prefix == ROOT else (self.prefix + path).rstrip("/")

    def lineage(self, path: str) -> Sequence[str]:
        """``path`` and the containers of this mount it is in, from the inside out."""
        return [each for each in lineage(path) if below(each, self.prefix)]

    async def status(self, path: str) -> Status:
        """The status at a path of the tree. Raises ``ObjectNotFound``."""
        return (await self.backend.status(self.inner(path))).at(path)

    def holder(self, object_type: ObjectType, name: str) -> str:
        """The back-end that has a class here: the mount's own one, or one that may take over."""
        for each in self.backend.classes():
            if each.object_type is object_type and each.name == name:
                return each.holder or self.backend.name
        return self.backend.name

    def offers(self, object_type: ObjectType, name: str) -> bool:
        return any(each.object_type is object_type and each.name == name for each in self.backend.classes())


class MountTable:
    """The mounts, the longest prefix first. There is always one at the root."""

    def __init__(self, mounts: Sequence[Mount]) -> None:
        """Raises ``ValueError`` when two mounts have one prefix, or none is at the root."""
        prefixes = [mount.prefix for mount in mounts]
        if len(set(prefixes)) != len(prefixes) or ROOT not in prefixes:
            raise ValueError("each mount needs a prefix of its own, and one is at the root")
        self.mounts = tuple(sorted(mounts, key=lambda mount: len(mount.prefix), reverse=True))

    def at(self, path: str) -> Mount:
        """The mount that holds ``path``."""
        for mount in self.mounts:
            if below(path, mount.prefix):
                return mount
        raise AssertionError("one mount is at the root")

    def places(self, prefixes: Collection[str]) -> Places:
        """The part of the tree that the mounts with these prefixes hold."""
        if ROOT not in prefixes:
            return Places(frozenset(prefixes))
        return Places(
            frozenset(mount.prefix for mount in self.mounts if mount.prefix not in prefixes), others=True
        )

    def lineage(self, path: str) -> Sequence[str]:
        """``path`` and the containers of its mount it is in, from the inside out."""
        return self.at(path).lineage(path)

    def part(self, path: str) -> Places:
        """The part of the tree that is held by the mount that holds ``path``."""
        return self.places([self.at(path).prefix])

    async def children(self, path: str) -> Sequence[Child]:
        """The entries of a container, with the mounts in it. Raises ``ObjectNotFound``.

        What has no container is not in the root one either.
        """
        mount = self.at(path)
        points = [each.prefix for each in self.mounts if each.prefix != ROOT and parent(each.prefix) == path]
        inside = await mount.backend.children(mount.inner(path))
        if path != ROOT and not points:
            return inside
        found = {each.name: each for each in inside}
        found |= {name(each): Child(name(each), ObjectType.CONTAINER) for each in points}
        if path == ROOT:
            found.pop(name(ORPHANS), None)
        return [found[each] for each in sorted(found)]

    async def some_children(self, path: str, span: Span) -> Sequence[Child]:
        """The entries of a container, of which those outside of ``span`` may be left out.

        Raises ``ObjectNotFound``.
        """
        mount = self.at(path)
        whole = path == ROOT or any(parent(each.prefix) == path for each in self.mounts)
        if whole or not isinstance(mount.backend, Paged):
            return await self.children(path)
        count = span.last - span.first + 1
        return Part(span.first, await mount.backend.page(mount.inner(path), span.first, count))

    def named(self, backend: str) -> Mount:
        """The mount of the back-end with this name. Raises ``Impossible`` when it is mounted no more."""
        for mount in self.mounts:
            if mount.backend.name == backend:
                return mount
        raise Impossible(f"The back-end {backend} is not mounted any more")

    def for_promise(self, promise: StoragePromise) -> Mount:
        """The mount that can keep a promise. Raises ``Impossible`` with what is there instead."""
        for mount in self.mounts:
            backend = mount.backend
            fits = (
                mount.offers(ObjectType.DATAOBJECT, promise.storage_class)
                # what another back-end takes over is of its kind and at its site
                and mount.holder(ObjectType.DATAOBJECT, promise.storage_class) == backend.name
                and (promise.storage_type is None or promise.storage_type.casefold() == backend.kind.casefold())
                and (promise.site is None or backend.site is None or promise.site == backend.site)
            )
            if fits:
                return mount
        there = "; ".join(f"{mount.backend.kind} with {', '.join(_names(mount.backend))}" for mount in self.mounts)
        wanted = " ".join(
            filter(None, [promise.storage_type, promise.storage_class, promise.site and f"at {promise.site}"])
        )
        raise Impossible(f"No back-end offers {wanted}; there is {there}")

    def classes(self, object_type: ObjectType) -> dict[str, StorageClass]:
        """Every class of the tree by name. ``cdmi_location`` tells the containers it can be had in."""
        found: dict[str, StorageClass] = {}
        places: dict[str, list[str]] = {}
        ways: dict[str, dict[str, None]] = {}
        for mount in reversed(self.mounts):
            for each in mount.backend.classes():
                if each.object_type is object_type:
                    found.setdefault(each.name, each)
                    places.setdefault(each.name, []).append(mount.prefix)
                    ways.setdefault(each.name, {}).update(dict.fromkeys(each.allowed))
        return {
            name: replace(
                each,
                metadata={**each.metadata, "cdmi_location": _location(places[name])},
                allowed=tuple(ways[name]),
            )
            for name, each in found.items()
        }

    def class_named(self, uri: str) -> StorageClass:
        """The class a capabilities URI means; a slash at its end does not matter.

        Raises ``CapabilitiesNotFound``.
        """
        parts = uri.rstrip("/").removeprefix(CAPABILITIES + "/").split("/")
        if uri.startswith(CAPABILITIES + "/") and len(parts) == 2 and parts[0] in set(ObjectType):
            found = self.classes(ObjectType(parts[0])).get(parts[1])
            if found is not None:
                return found
        raise CapabilitiesNotFound(uri)


def record_container(mount: Mount, record_id: str) -> str:
    """Where the preservation copy of a record is, as a path of the tree."""
    return join(mount.outer("/" + RECORDS), record_id)


def record_of(mount: Mount, path: str) -> str | None:
    """The record whose preservation copy holds ``path``; ``None`` outside of them."""
    segments = mount.inner(path).split("/")
    return segments[2] if len(segments) > 2 and segments[1] == RECORDS else None


def _location(prefixes: list[str]) -> Attribute:
    return sorted(prefixes)


def _names(backend: Backend) -> list[str]:
    return [each.name for each in backend.classes() if each.object_type is ObjectType.DATAOBJECT]
