"""Objects in a bucket of S3, whose storage class is changed by copying them onto themselves.

A container is an object without bytes whose key ends with a slash; its metadata has the container's class. An
object in an archive class is on tape for the gateway: it can be read when a restored copy is there, and its class
stays the archive's meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from indigo_contracts.qos import Locality
from indigo_kernel.problems import Conflict, Unavailable

from indigo_qos_gateway.adapters.classes import Place, interchangeable
from indigo_qos_gateway.adapters.fixity import compared, sha256_of
from indigo_qos_gateway.adapters.http.remote import part_of
from indigo_qos_gateway.adapters.names import HIDDEN, checked, checked_below_root, hidden
from indigo_qos_gateway.adapters.s3.api import CLASS, S3, Head
from indigo_qos_gateway.adapters.s3.pages import Pages
from indigo_qos_gateway.adapters.spool import spooled
from indigo_qos_gateway.adapters.steps import Steps
from indigo_qos_gateway.domain.errors import ObjectNotFound, Offline, StorageDamage
from indigo_qos_gateway.domain.paths import ROOT, lineage, name, parent
from indigo_qos_gateway.domain.storage import (
    Attribute,
    BackendHealth,
    Child,
    Content,
    ObjectType,
    Progress,
    Status,
    StorageClass,
    container_status,
)

_STEPS = 1000
"""Objects on their way at the same time: one that is being restored, for hours, costs a look now and then."""

_COPIES = 4
"""Objects that are copied at the same time."""

_NEVER = datetime.fromtimestamp(0, UTC)
_RESTORED_DAYS = 2
"""How long a restored copy stays, which only has to outlast the copying to another class."""


@dataclass(frozen=True, slots=True)
class NativeClass:
    """A storage class of S3 and what is known of it. ``archive`` objects are restored before they are read."""

    native: str
    archive: bool
    attributes: Mapping[str, Attribute]


class S3Backend:
    """Implements ``application.ports.Backend`` and ``application.paging.Paged``.

    ``offered`` are the classes by the names the gateway gives them, ``again_seconds`` the time between looks at a
    restore.
    """

    kind = "S3"

    def __init__(
        self,
        name: str,
        api: S3,
        offered: Mapping[str, NativeClass],
        landing_class: str,
        place: Place,
        *,
        again_seconds: float = 60.0,
    ) -> None:
        self.name = name
        self.landing_class = landing_class
        self._api = api
        self._pages = Pages(api)
        self._offered = offered
        self._place = place
        self._steps = Steps(_STEPS)
        self._copying = asyncio.Semaphore(_COPIES)
        self._again = again_seconds

    @property
    def site(self) -> str | None:
        return self._place.site

    def classes(self) -> Sequence[StorageClass]:
        return interchangeable({name: each.attributes for name, each in self._offered.items()}, self._place)

    async def status(self, path: str) -> Status:
        head = None if path == ROOT else await self._api.head(_key(checked(path)))
        if head is not None:
            return self._object(path, head)
        container = await self._container(path)
        if container is None:
            raise ObjectNotFound(path)
        name, modified = container
        return container_status(path, name, modified)

    async def children(self, path: str) -> Sequence[Child]:
        if await self._container(checked(path)) is None:
            raise ObjectNotFound(path)
        prefix, following, found = _prefix(path), None, []
        told: set[str] = set()
        while True:
            page = await self._api.listing(prefix, delimiter="/", following=following)
            found += [Child(key[len(prefix) :], ObjectType.DATAOBJECT) for key in page.keys if key != prefix]
            found += [Child(each[len(prefix) : -1], ObjectType.CONTAINER) for each in page.prefixes]
            # One that was there before would be followed for ever.
            if (following := page.following) in told:
                raise Unavailable(f"{self.name} lists the same part of {path} again and again")
            if following is not None:
                told.add(following)
            else:
                return sorted((each for each in found if not hidden(each.name)), key=lambda each: each.name)

    async def page(self, path: str, first: int, count: int) -> Sequence[Child]:
        """Implements ``application.paging.Paged``."""
        return await self._pages.of(path, _prefix(checked(path)), first, count)

    async def read(self, path: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        async with self._api.get(_key(checked_below_root(path)), start, stop, path) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return
            if response.status_code == httpx.codes.FORBIDDEN:
                head = await self._api.head(_key(path))
                if head is None or not self._unreadable(head):
                    raise Unavailable(f"{self.name} refuses to give {path}")
                raise Offline(path, recalling=head.restoring)
            async for chunk in part_of(self.name, response, start, stop):
                yield chunk

    async def write(self, path: str, chunks: AsyncIterable[bytes], expected: Content | None = None) -> Content:
        async with spooled(checked_below_root(path), chunks, expected) as spool:
            if await self._container(path) is not None:
                raise Conflict(f"{path} is a container")
            await self._make_containers(parent(path))
            await self._api.put(_key(path), spool, self._offered[self.landing_class].native)
            return spool.content

    async def make_container(self, path: str) -> bool:
        if path == ROOT or await self._container(checked(path)) is not None:
            return False
        if await self._api.head(_key(path)) is not None:
            raise Conflict(f"{path} is a data object")
        await self._make_containers(path)
        return True

    async def delete(self, path: str) -> None:
        key = _key(checked_below_root(path))
        if await self._api.head(key) is not None:
            await self._api.delete(key)
            return
        if await self._container(path) is None:
            raise ObjectNotFound(path)
        before: tuple[str, ...] = ()
        while (page := await self._api.listing(_prefix(path))).keys:
            if page.keys == before:
                raise Unavailable(f"{self.name} still has what was removed from {path}")
            before = page.keys
            # The container's own key is the first one: it goes last, should this end before its time.
            for each in reversed(page.keys):
                await self._api.delete(each)

    async def digest(self, path: str) -> str | None:
        head = await self._existing(path)
        if self._unreadable(head):
            return head.sha256
        return await compared(path, self.read(path), head.sha256)

    async def start(self, path: str, target: str) -> str:
        async def run() -> None:
            await self._bring(checked(path), target)

        return self._steps.start(path, target, run)

    async def poll(self, path: str, handle: str, patience: float) -> Progress:  # noqa: ARG002 - the handle suffices
        return await self._steps.poll(handle, patience)

    async def cancel(self, path: str, handle: str) -> None:  # noqa: ARG002 - the handle suffices
        await self._steps.cancel(handle)

    async def health(self) -> BackendHealth:
        try:
            await self._api.listing("", most=1)
        except Unavailable as error:
            return BackendHealth(usable=False, notes=(error.detail,))
        return BackendHealth(usable=True)

    async def close(self) -> None:
        await self._steps.close()
        await self._api.close()

    async def _bring(self, path: str, target: str) -> None:
        head = None if path == ROOT else await self._api.head(_key(path))
        if head is None:
            if await self._container(path) is None:
                raise ObjectNotFound(path)
            await self._api.put_empty(_marker(path), {CLASS: target})
            return
        wanted = self._offered[target]
        if head.storage_class == wanted.native:
            return
        while self._unreadable(head):
            if not head.restoring:
                await self._api.restore(_key(path), _RESTORED_DAYS)
            head = await self._existing(path)
            if self._unreadable(head):
                await asyncio.sleep(self._again)
        async with self._copying:
            # Once it is in an archive nobody can say what its checksum is.
            sha256 = await sha256_of(self.read(path)) if wanted.archive and head.sha256 is None else None
            await self._api.copy_onto_itself(_key(path), head, wanted.native, sha256, path)
        seen = await self._existing(path)
        if seen.storage_class != wanted.native:
            raise StorageDamage(f"{self.name} took the change of {path}, which still is at {seen.storage_class}")

    async def _existing(self, path: str) -> Head:
        head = await self._api.head(_key(checked_below_root(path)))
        if head is None:
            raise ObjectNotFound(path)
        return head

    async def _container(self, path: str) -> tuple[str, datetime] | None:
        """The class of a container and when it was given; ``None`` when there is no container."""
        head = await self._api.head(_marker(path))
        if head is not None:
            known = head.container_class if head.container_class in self._offered else None
            return known or self.landing_class, head.modified
        # Others make no objects for containers: there is one when something is below it.
        if path == ROOT or (await self._api.listing(_prefix(path), most=1)).keys:
            return self.landing_class, _NEVER
        return None

    async def _make_containers(self, path: str) -> None:
        """Have a container and all it is in. Raises ``Conflict`` when an object is in the way."""
        for each in reversed([each for each in lineage(path) if each != ROOT]):
            if await self._container(each) is not None:
                continue
            if await self._api.head(_key(each)) is not None:
                raise Conflict(f"A data object is in the way of {path}: {name(each)}")
            await self._api.put_empty(_marker(each), {})

    def _object(self, path: str, head: Head) -> Status:
        public, known = self._known(head.storage_class)
        if self._unreadable(head):
            locality = Locality.TAPE
        else:
            locality = Locality.DISK_AND_TAPE if known and known.archive else Locality.DISK
        return Status(
            path=path,
            object_type=ObjectType.DATAOBJECT,
            storage_class=public,
            locality=locality,
            size=head.size,
            modified=head.modified,
            sha256=head.sha256,
            recalling=head.restoring,
            provided={**known.attributes, **self._place.attributes()} if known else {},
        )

    def _known(self, native: str) -> tuple[str, NativeClass | None]:
        """The gateway's name of a class; one that is not offered keeps the name S3 has for it."""
        for public, each in self._offered.items():
            if each.native == native:
                return public, each
        return native, None

    def _unreadable(self, head: Head) -> bool:
        _, known = self._known(head.storage_class)
        return known is not None and known.archive and not head.restored


def _key(path: str) -> str:
    return path[1:]


def _prefix(path: str) -> str:
    return "" if path == ROOT else path[1:] + "/"


def _marker(path: str) -> str:
    return HIDDEN + "/" if path == ROOT else path[1:] + "/"
