"""Objects and containers made, changed and removed."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from indigo_contracts.envelope import Actor
from indigo_kernel.problems import BadRequest, Conflict

from indigo_qos_gateway.application.arriving import Arrival, name_lock
from indigo_qos_gateway.application.choosing import effective, inherited
from indigo_qos_gateway.application.documents import document
from indigo_qos_gateway.application.lifetimes import Placed, Timers
from indigo_qos_gateway.application.notifying import note
from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.application.row_ports import StoredObject
from indigo_qos_gateway.application.transitions import moving, request_transition
from indigo_qos_gateway.application.viewing import OWNERS, Tree, View, check_owned
from indigo_qos_gateway.domain.errors import Busy, ObjectNotFound, UnknownClass
from indigo_qos_gateway.domain.metadata import updated
from indigo_qos_gateway.domain.notification import CREATED, MODIFIED
from indigo_qos_gateway.domain.paths import parent
from indigo_qos_gateway.domain.retention import check_untouched, check_update
from indigo_qos_gateway.domain.selection import Span
from indigo_qos_gateway.domain.storage import Content, ObjectType, Status
from indigo_qos_gateway.domain.transition import Transition
from indigo_qos_gateway.domain.wishes import CHOOSING, read_wishes

TRANSFERS = "transfers"
"""Key under which a copy or a move begins, alone; whoever writes an object holds it beside others."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a client wants of an object. Absent parts stay as they are.

    ``metadata_names`` restrict the update to these names; ``span`` is where ``chunks`` go. ``groups`` and
    ``operator`` are about who asks; a new object gets ``identifier`` when there is one. ``domain`` is the one it
    is to belong to. With ``partial`` more bytes will come, and the object is not complete. ``transfer`` is the
    copy or move it is a part of.
    """

    chunks: AsyncIterable[bytes] | None = None
    mimetype: str | None = None
    encoding: str | None = None
    metadata: Mapping[str, Any] | None = None
    metadata_names: tuple[str, ...] | None = None
    storage_class: str | None = None
    span: Span | None = None
    groups: frozenset[str] = frozenset()
    operator: bool = False
    identifier: str | None = None
    domain: str | None = None
    partial: bool = False
    transfer: str | None = None


@dataclass(frozen=True, slots=True)
class Gateway(Tree):
    """The tree of objects, to be looked at and changed."""

    timers: Timers

    async def put_object(self, path: str, change: Change, before: Status | None, actor: Actor | None) -> View:
        """Create a data object, or change the one that was found there ``before``.

        Bytes first, then what is known of them: after a crash in between, the bytes are there with a fresh
        identity. A new object comes to the class asked for, or else to the one that is chosen for it (see
        ``domain.choice``); new bytes of an old object come back to its class, new wishes choose anew. Raises
        ``Busy`` while a transition works on it, a copy or a move, ``Forbidden`` while it is retained or on hold.
        """
        _check_type(before, ObjectType.DATAOBJECT)
        mount = self.mounts.at(path)
        default = before.storage_class if before else await self.default_class(parent(path))
        if before is None and change.chunks is None:
            change = replace(change, chunks=_nothing())
        seen = await self._check_change(path, change, before)
        arrival = Arrival(self.work, path)
        async with arrival.kept():
            content: Content | None = None
            if change.chunks is not None:
                content = await mount.backend.write(mount.inner(path), self._coming(arrival, change, before))
            status = await mount.status(path)
            async with self.work() as work:
                await work.beside(TRANSFERS, OWNERS)
                await _check_free(work, path, change)
                await check_owned(work, path, change.domain)
                wanted = change.storage_class or await self._chosen(
                    work, status, change, default, new=before is None
                )
                # Locks of transitions come before rows of objects, as where a transition ends.
                if not change.partial and (status.storage_class != wanted or change.storage_class is not None):
                    await request_transition(work, mount, status, wanted, actor)
                stored = await self._to_change(work, status, before, change)
                if before is None:
                    identifier = change.identifier or stored.object_id
                    stored = replace(stored, groups=sorted(change.groups), object_id=identifier)
                await work.objects.save(self._changed(stored, change, content, work))
                await arrival.end(work)
                await self.timers.arm(work, [Placed(path, status.storage_class, status.size)])
                view = await self._noted(work, await self._view(work, status, ()), before, actor)
        await self._check_still_there(path, seen, view.parent_id if before is None else view.stored.object_id)
        return view

    async def put_container(self, path: str, change: Change, before: Status | None, actor: Actor | None) -> View:
        """Create a container, or change the one that was found there ``before``."""
        _check_type(before, ObjectType.CONTAINER)
        mount = self.mounts.at(path)
        seen = await self._check_change(path, change, before)
        if before is None:
            await mount.backend.make_container(mount.inner(path))
        status = await mount.status(path)
        wanted = change.storage_class or (None if before else await self.default_class(parent(path)))
        async with self.work() as work:
            await work.beside(TRANSFERS, OWNERS)
            await _check_free(work, path, change)
            await check_owned(work, path, change.domain)
            if wanted is not None and wanted != status.storage_class:
                await request_transition(work, mount, status, wanted, actor)
            if before is None:
                await work.transfers.forget(path)  # what failed here is no word about the new one
            stored = await self._to_change(work, status, before, change)
            await work.objects.save(self._changed(stored, change, None, work))
            view = await self._noted(work, await self._view(work, status, ()), before, actor)
        await self._check_still_there(path, seen, view.parent_id if before is None else view.stored.object_id)
        return view

    async def change_class(self, path: str, target: str, actor: Actor | None, work: Work) -> Transition | None:
        """Have an object or a container brought to a class; see ``request_transition``.

        Raises ``Busy`` while a copy, a move or a removal is about it.
        """
        mount = self.mounts.at(path)
        status = await mount.status(path)
        await work.beside(TRANSFERS)
        if await work.transfers.over(path):
            raise Busy(path)
        return await request_transition(work, mount, status, target, actor)

    async def check_new(self, path: str, change: Change) -> None:
        """Raise what making this at a free path would raise before anything is stored."""
        await self._check_change(path, change, None)

    async def _check_change(self, path: str, change: Change, before: Status | None) -> str | None:
        """The identifier of what is to be changed, or of the container of what is new, when it is known.

        Raises before anything is stored: ``BadRequest`` for what nobody can fulfil, ``Forbidden``, ``Busy``.
        """
        async with self.work() as work:
            if change.chunks is not None or before is None:  # else nothing is stored before it is checked again
                await _check_free(work, path, change)
            if change.chunks is not None and await moving(work, self.mounts.at(path), path):
                raise Busy(path)
            node = await work.nodes.over(path) if before is None else None
            if node is not None:
                raise Conflict(f"{node.path} is a {node.kind}, not a container")
            known = await inherited(work, [path])
            stored = known.get(path) if before is not None else None
            old = stored.metadata if stored else {}
            first = stored if before is not None else known.get(parent(path))
            seen = first.object_id if first else None
            if change.chunks is not None and before is not None:
                check_untouched(path, old, work.now)
            if change.metadata is None:
                return seen
            new = updated(old, change.metadata, change.metadata_names)
            check_update(old, new, operator=change.operator)
            wishes = read_wishes(effective(path, known, new))
            container = self.mounts.at(path).backend.landing_class
            self.chooser.choose(path, 0, wishes, container, work.now, created=work.now, groups=change.groups)
            if wishes.lifetime is not None and wishes.lifetime.migrate_to is not None:
                name = wishes.lifetime.migrate_to
                if self.chooser.class_at(path, name) is None:
                    raise UnknownClass(f"There is no class {name} to go to at {path}")
            return seen

    async def _chosen(self, work: Work, status: Status, change: Change, default: str, *, new: bool) -> str:
        """The class of an object nobody asked a class for: chosen when it is new, or wishes of it are."""
        if not new and not CHOOSING & (change.metadata or {}).keys():
            return default
        known = await inherited(work, [status.path])
        stored = None if new else known.get(status.path)
        old = stored.metadata if stored else {}
        own = old if change.metadata is None else updated(old, change.metadata, change.metadata_names)
        choice = self.chooser.choose(
            status.path,
            status.size,
            read_wishes(effective(status.path, known, own)),
            default,
            work.now,
            created=stored.created_at if stored else work.now,
            groups=change.groups,
        )
        return choice.storage_class

    async def _coming(self, arrival: Arrival, change: Change, before: Status | None) -> AsyncIterator[bytes]:
        """The bytes, and a last look, before the storage takes them, whether it still may.

        From then on no others come. Where they are put among old ones, none come from the beginning.
        """
        chunks = change.chunks
        assert chunks is not None, "there are bytes to come"
        if change.span is not None:
            await self._let_in(arrival, change, before)
            chunks = self._patched(arrival.path, await self.exists(arrival.path), change.span, chunks)
        async for chunk in chunks:
            yield chunk
        await self._let_in(arrival, change, before)
        arrival.complete = True

    async def _let_in(self, arrival: Arrival, change: Change, before: Status | None) -> None:
        """Raise what the bytes may not come for. Those of a copy or a move have nobody beside them."""
        path, begins = arrival.path, change.transfer is None and not arrival.begun
        async with self.work() as work:
            await _check_free(work, path, change)
            known = await work.objects.find(path)
            if known is not None and (before is not None or change.transfer is not None):
                check_untouched(path, known.metadata, work.now)
            if begins and before is None:
                await work.alone(name_lock(path))
                if await work.nodes.find(path) is not None:
                    raise Busy(path)  # a queue or a reference was made there meanwhile
            if begins:
                await arrival.begin(work)
        if begins and before is None and await self.exists(path) is not None:
            raise Busy(path)  # somebody else made it meanwhile

    async def _check_still_there(self, path: str, seen: str | None, found: str | None) -> None:
        """Raise ``Busy`` when a move came and went between the look at the storage and the transaction.

        A move takes identifiers away: there was none when the one ``seen`` at first was ``found`` in the
        transaction.
        """
        if (seen is None or seen != found) and await self.exists(path) is None:
            raise Busy(path)

    async def _patched(
        self, path: str, before: Status | None, span: Span, chunks: AsyncIterable[bytes]
    ) -> AsyncIterator[bytes]:
        """The old bytes with those in ``span`` replaced. Raises ``BadRequest`` when the new ones do not fit it."""
        if before is None:
            raise ObjectNotFound(path)
        if span.first > before.size:
            raise BadRequest(f"The object has {before.size} bytes; a range cannot begin behind its end")
        if span.first:
            async for chunk in self.read(before, Span(0, span.first - 1)):
                yield chunk
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            yield chunk
        if size != span.last - span.first + 1:
            raise BadRequest(f"The range {span} has {span.last - span.first + 1} bytes, but {size} came")
        if span.last + 1 < before.size:
            async for chunk in self.read(before, Span(span.last + 1, before.size - 1)):
                yield chunk

    async def _noted(self, work: Work, view: View, before: Status | None, actor: Actor | None) -> View:
        event = MODIFIED if before else CREATED
        await note(work, event, view.status.path, actor, document(view.stored, view.status))
        return view

    def _changed(self, stored: StoredObject, change: Change, content: Content | None, work: Work) -> StoredObject:
        if change.metadata is not None:
            stored = replace(stored, metadata=updated(stored.metadata, change.metadata, change.metadata_names))
        if content is not None:
            stored = replace(stored, sha256=content.sha256, association_time=work.now, partial=change.partial)
        return replace(
            stored,
            mimetype=change.mimetype or stored.mimetype,
            encoding=change.encoding or stored.encoding,
            domain=change.domain or stored.domain,
        )

    async def _to_change(self, work: Work, status: Status, before: Status | None, change: Change) -> StoredObject:
        """What is known of an object, for nobody else to change meanwhile; of a new one nothing older.

        Raises ``Forbidden`` for what may not be changed since somebody else changed it.
        """
        known = None if before is None else await work.objects.find(status.path, for_update=True)
        if known is not None and known.object_type is status.object_type:
            if change.metadata is not None:
                new = updated(known.metadata, change.metadata, change.metadata_names)
                check_update(known.metadata, new, operator=change.operator)
            return known
        anew = before is None or known is not None
        return await self._made(work, status.path, status.object_type, anew=anew)


async def _check_free(work: Work, path: str, change: Change) -> None:
    """Raise ``Busy`` while a copy or a move is about the path, or when the one ``change`` is a part of is over."""
    under_way = {each.id for each in await work.transfers.over(path)}
    if under_way != ({change.transfer} if change.transfer else set()):
        raise Busy(path)


def _check_type(before: Status | None, wanted: ObjectType) -> None:
    if before is not None and before.object_type is not wanted:
        raise Conflict(f"{before.path} is a {before.object_type}, not a {wanted}")


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
