"""Objects and containers as CDMI shows them: what the storage says, with identity and clients' metadata added."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from indigo_kernel.ids import uuid7
from indigo_kernel.problems import Conflict

from indigo_qos_gateway.application.choosing import Chooser
from indigo_qos_gateway.application.documents import document
from indigo_qos_gateway.application.mounts import MountTable
from indigo_qos_gateway.application.ports import NewWork, Work
from indigo_qos_gateway.application.row_ports import StoredObject
from indigo_qos_gateway.application.sighting import Sightings
from indigo_qos_gateway.application.transitions import moving
from indigo_qos_gateway.domain.domain import DOMAINS
from indigo_qos_gateway.domain.errors import ObjectNotFound, Offline
from indigo_qos_gateway.domain.object_id import object_id
from indigo_qos_gateway.domain.paths import ORPHANS, ROOT, below, lineage, parent
from indigo_qos_gateway.domain.rules import Lifetime
from indigo_qos_gateway.domain.selection import Span
from indigo_qos_gateway.domain.storage import Child, ObjectType, Status
from indigo_qos_gateway.domain.transfer import Transfer, TransferStage
from indigo_qos_gateway.domain.wishes import Wishes

OCTETS = "application/octet-stream"

OWNERS = "domains"
"""Key under which domains are made, changed and removed, alone; whoever gives something to one holds it beside."""


@dataclass(frozen=True, slots=True)
class View:
    """One object or container. ``moving_to`` is the class it is on its way to, ``lifetime`` that of its class.

    ``allowed`` are the classes it may be brought to from where it is, ``nodes`` the names of the queues and
    references in a container, these with a question mark at their end.
    """

    status: Status
    stored: StoredObject
    parent_id: str | None
    moving_to: str | None
    lifetime: Lifetime | None = None
    children: Sequence[Child] = ()
    allowed: Sequence[str] = ()
    nodes: Sequence[str] = ()
    transfer: Transfer | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    """The tree of objects, to be looked at. ``enterprise`` is the IANA number in object identifiers."""

    work: NewWork
    mounts: MountTable
    enterprise: int
    chooser: Chooser
    sightings: Sightings

    async def view(self, path: str, *, listing: bool | Span = True) -> View:
        """What is at a path, with the entries of a container unless ``listing`` is false.

        Of those outside of a span some may be left out.

        Raises ``ObjectNotFound``. What others wrote to the storage gets its identity here.
        """
        seen, status = await self.sightings.at(path)
        children: Sequence[Child] = ()
        if listing and _is_container(status):
            # What the gateway itself keeps in a container is counted too: then all names are needed.
            if isinstance(listing, Span) and seen is not None and not seen.nodes:
                children = await self.mounts.some_children(path, listing)
            else:
                children = await self.mounts.children(path)
        if seen is not None and seen.stored.object_type is status.object_type:
            lifetime, allowed = self._lifetime(status), self._allowed(status)
            known = (seen.stored, seen.parent_id, seen.moving_to, lifetime, children, allowed, seen.nodes)
            return View(status, *known, seen.transfer)
        async with self.work() as work:
            taken = await work.transfers.taking(path)
            if taken is not None and taken.stage is TransferStage.COPIED and below(path, taken.source):
                raise ObjectNotFound(path)  # what is left of it is about to go
            view = await self._view(work, status, children)
            return replace(view, nodes=[each.listed for each in await work.nodes.inside(path)])

    def new_id(self) -> str:
        """An identifier nothing has."""
        return object_id(self.enterprise, uuid7().bytes)

    async def path_of(self, identifier: str) -> str:
        """The path of an object identifier. Raises ``ObjectNotFound``."""
        async with self.work() as work:
            found = await work.objects.by_id(identifier) or await work.nodes.by_id(identifier)
        if found is None:
            raise ObjectNotFound(identifier)
        return found.path

    async def resolved(self, path: str) -> str:
        """The path itself, or the one of the identifier in it. Raises ``ObjectNotFound``."""
        if parent(path) != ORPHANS:
            return path
        return await self.path_of(path.rpartition("/")[2])

    async def look(self, path: str) -> dict[str, Any] | None:
        """The document of what is at a path; ``None`` when nothing is."""
        try:
            view = await self.view(path, listing=False)
        except ObjectNotFound:
            return None
        return document(view.stored, view.status)

    async def id_of(self, work: Work, container: str) -> str:
        """The identifier of a container that is there."""
        return (await self._stored(work, container, ObjectType.CONTAINER)).object_id

    async def exists(self, path: str) -> Status | None:
        """The status of what is there; ``None`` when nothing is."""
        mount = self.mounts.at(path)
        try:
            return await mount.status(path)
        except ObjectNotFound:
            return None

    def read(self, status: Status, span: Span | None = None) -> AsyncIterator[bytes]:
        """The bytes of an object that was found like this. Raises ``Offline`` at once."""
        if not status.readable:
            raise Offline(status.path, recalling=status.recalling)
        mount = self.mounts.at(status.path)
        start, stop = (span.first, span.last + 1) if span else (0, None)
        return mount.backend.read(mount.inner(status.path), start, stop)

    async def default_class(self, path: str) -> str:
        """The class new objects below the nearest container that exists are brought to."""
        for container in lineage(path):
            status = await self.exists(container)
            if status is not None and _is_container(status):
                return status.storage_class
        raise ObjectNotFound(ROOT)

    async def _view(self, work: Work, status: Status, children: Sequence[Child]) -> View:
        stored = await self._stored(work, status.path, status.object_type)
        above = None
        if status.path != ROOT:
            above = (await self._stored(work, parent(status.path), ObjectType.CONTAINER)).object_id
        under_way = await moving(work, self.mounts.at(status.path), status.path)
        moving_to = under_way.target_class if under_way else None
        return View(status, stored, above, moving_to, self._lifetime(status), children, self._allowed(status))

    def _allowed(self, status: Status) -> Sequence[str]:
        for each in self.mounts.at(status.path).backend.classes():
            if each.object_type is status.object_type and each.name == status.storage_class:
                return each.allowed
        return ()

    def _lifetime(self, status: Status) -> Lifetime | None:
        if _is_container(status):
            return None
        return self.chooser.lifetime(self.chooser.class_at(status.path, status.storage_class), Wishes({}))

    async def _stored(self, work: Work, path: str, object_type: ObjectType) -> StoredObject:
        """What is known of an object."""
        known = await work.objects.find(path)
        if known is not None and known.object_type is object_type:
            return known
        return await self._made(work, path, object_type, anew=known is not None)

    async def _made(self, work: Work, path: str, object_type: ObjectType, *, anew: bool) -> StoredObject:
        """A new identity, or unless ``anew`` the one somebody else gave just now."""
        await work.beside(OWNERS)
        new = StoredObject(
            object_id=self.new_id(),
            path=path,
            object_type=object_type,
            mimetype=OCTETS,
            encoding="base64",
            metadata={},
            created_at=work.now,
            association_time=work.now,
            domain=await domain_above(work, path),
        )
        if not anew:
            return await work.objects.add(new)
        await work.objects.save(new)
        return new


async def domain_above(work: Work, path: str) -> str:
    """The domain of what is made at a path when nobody names one: that of the nearest container that is known."""
    above = list(lineage(path))[1:]
    known = await work.objects.among(above)
    return next((known[each].domain for each in above if each in known), DOMAINS)


async def check_owned(work: Work, path: str, domain: str | None) -> None:
    """Raise ``Conflict`` when the domain that ``path`` is to be given to was removed meanwhile."""
    if domain not in {None, DOMAINS} and await work.domains.find(str(domain)) is None:
        raise Conflict(f"{domain}/ was removed before {path} was given to it")


def _is_container(status: Status) -> bool:
    return status.object_type is ObjectType.CONTAINER
