"""Copies and moves of objects and containers inside the tree (CDMI 1.1.1, clauses 8.2 and 9.2).

A copy has its own identity, and a class of its own; a move keeps the identity. Both copy bytes: no back-end has to
be able to rename, and the two paths may be in different ones. The source of a move goes when all of it is there.

Every one is stored before it begins, and a worker brings it to its end when the process that began it did not.
What takes longer than a request may is left to the worker from the start, and tells its progress at the target.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import structlog
from indigo_contracts.envelope import Actor
from indigo_contracts.text import storable_text
from indigo_kernel.db.jobs import Later
from indigo_kernel.db.uow import Job
from indigo_kernel.ids import new_id
from indigo_kernel.problems import BadRequest, Conflict, DomainError, Forbidden

from indigo_qos_gateway.application.documents import document
from indigo_qos_gateway.application.lifetimes import LIFETIMES
from indigo_qos_gateway.application.nodes import copy_nodes
from indigo_qos_gateway.application.notifying import note
from indigo_qos_gateway.application.objects import TRANSFERS, Change, Gateway
from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.application.transitions import moving
from indigo_qos_gateway.application.viewing import OWNERS, View, check_owned
from indigo_qos_gateway.domain.errors import Busy, ObjectNotFound
from indigo_qos_gateway.domain.notification import COPIED, DELETED, RENAMED
from indigo_qos_gateway.domain.paths import Places, below, join
from indigo_qos_gateway.domain.retention import check_untouched
from indigo_qos_gateway.domain.storage import ObjectType, Status
from indigo_qos_gateway.domain.transfer import Transfer, TransferKind, TransferStage

log = structlog.get_logger()

JOB = "transfer"

AT_ONCE = 50
"""Objects and containers that are copied inside of a request; a worker copies what is more."""

TAKE_OVER = timedelta(minutes=1)
"""After this a worker takes over a short one, unless the process that began it says that it is at it."""

_AT_IT = 20.0
"""Seconds between two times it says so."""

_LOOK = 1.0
"""Seconds between notes of how far it is."""

_NOTHING = Places(frozenset()).written
"""Shown to those who asked before that was noted."""


async def transfer(
    gateway: Gateway,
    kind: TransferKind,
    status: Status,
    path: str,
    change: Change,
    actor: Actor | None,
    shown: Places | None,
) -> View:
    """Make at ``path`` what ``status`` is about, with what ``change`` says too; of a move, the source goes.

    Queues that are filled tell in a copy what is ``shown`` to the one who asks for it (all for ``None``).

    ``View.transfer`` is there when it is not over yet. Raises ``ObjectNotFound``, ``Offline`` for what is on tape
    only, ``Conflict`` for a container in itself or when other bytes arrive than were stored, and of a move
    ``Forbidden`` for what is retained.
    """
    source = status.path
    if below(path, source):
        raise Conflict(f"{path} is in {source}")
    total = await _count(gateway, status, AT_ONCE)
    short = total <= AT_ONCE
    new = Transfer(
        id=new_id(),
        kind=kind,
        source=source,
        path=path,
        wish=_wish(change, shown),
        actor=actor,
        total=total if short else 0,  # the worker counts the rest
    )
    if not short:
        async with gateway.work() as work:
            await check_free(work, gateway, new)
        await gateway.put_container(path, await _given(gateway, source, change), None, actor)
    async with gateway.work() as work:
        await work.alone(TRANSFERS)
        await check_free(work, gateway, new)
        await work.transfers.forget(path)
        await work.transfers.add(new)
        run_at = work.now + TAKE_OVER if short else work.now
        await work.enqueue(JOB, new.id, {"transfer_id": new.id}, run_at=run_at)
    if short:
        try:
            async with at_it(gateway, new):
                await Transfers(gateway).run(new)
        except Later as later:  # everything is at its new place, and a worker goes on
            log.warning("transfer.source_left", source=source, error=str(later))
        except Exception as error:
            await _give_up(gateway, new.id, str(error) or repr(error))
            raise
    return await gateway.view(path)


@dataclass(frozen=True, slots=True)
class Transfers:
    """Carries out copies and moves. Every part can be done again."""

    gateway: Gateway

    async def carry_out(self, job: Job) -> None:
        """Bring one to its end. What no further try can help is told at once, at the target."""
        async with self.gateway.work() as work:
            found = await work.transfers.get(str(job.payload["transfer_id"]))
        if found is None or found.stage is TransferStage.FAILED:
            return
        try:
            await self.run(found)
        except Busy as busy:
            raise Later(TAKE_OVER, str(busy)) from busy
        except (BadRequest, Forbidden, Conflict, ObjectNotFound) as error:
            await _give_up(self.gateway, found.id, error.detail)

    async def give_up(self, job: Job, error: BaseException) -> None:
        """Tell at the target that it is not complete, with the reason of the last try."""
        detail = error.detail if isinstance(error, DomainError) else str(error) or repr(error)
        await _give_up(self.gateway, str(job.payload["transfer_id"]), detail)

    async def run(self, transfer: Transfer) -> None:
        """From the stage it is at to its end. Raises ``Later`` when all is left to do is to remove the source."""
        if transfer.stage is TransferStage.COPYING:
            try:
                await self._copy(transfer)
            except (Busy, ObjectNotFound):
                if await self._is_over(transfer):  # somebody else brought it to its end, and the source is gone
                    return
                raise
            if not await self._switch(transfer):
                return
        if transfer.kind is not TransferKind.COPY:
            await self._remove_source(transfer)

    async def _remove_source(self, transfer: Transfer) -> None:
        async with self.gateway.work() as work:
            if await work.transfers.get(transfer.id) is None:
                return  # somebody else did, and the path may be used again
        mount = self.gateway.mounts.at(transfer.source)
        try:
            with contextlib.suppress(ObjectNotFound):  # when an earlier try came this far
                await mount.backend.delete(mount.inner(transfer.source))
        except Exception as error:
            # It takes no harm by waiting, and were it given up, nobody could use the path again.
            raise Later(TAKE_OVER, str(error) or repr(error)) from error
        async with self.gateway.work() as work:
            await removed(work, transfer)

    async def _copy(self, transfer: Transfer) -> None:
        status = await self.gateway.exists(transfer.source)
        if status is None:
            raise ObjectNotFound(transfer.source)
        if not transfer.total:
            transfer = replace(transfer, total=await _count(self.gateway, status))
            await self._note(transfer, 0)
        wished, noted, done = replace(_change(transfer.wish), transfer=transfer.id), time.monotonic(), 0
        plain = Change(groups=wished.groups, operator=wished.operator, transfer=transfer.id)
        async for each in _tree(self.gateway, status):
            path = transfer.path + each.path.removeprefix(transfer.source)
            change = wished if each.path == transfer.source else plain
            await self._one(each, path, change, transfer.actor)
            done += 1
            if time.monotonic() - noted >= _LOOK:
                noted = time.monotonic()
                await self._note(transfer, done)

    async def _one(self, status: Status, path: str, change: Change, actor: Actor | None) -> None:
        """Have one object or container at its new path, unless an earlier try did."""
        gateway = self.gateway
        there = await gateway.exists(path)
        if status.object_type is ObjectType.CONTAINER:
            if there is None:
                await gateway.put_container(path, await _given(gateway, status.path, change), None, actor)
            return
        async with gateway.work() as work:
            known = await work.objects.checksums([status.path, path])
        wanted = known.get(status.path) or status.sha256
        if there is not None and wanted is not None and known.get(path) == wanted:
            return
        given = replace(await _given(gateway, status.path, change), chunks=gateway.read(status))
        made = await gateway.put_object(path, given, there, actor)
        if made.status.size != status.size or wanted not in {None, made.stored.sha256}:
            raise Conflict(
                f"{path} came to {made.status.size} bytes with SHA-256 {made.stored.sha256};"
                f" {status.path} has {status.size}, with {wanted or 'an unknown one'}"
            )

    async def _is_over(self, transfer: Transfer) -> bool:
        async with self.gateway.work() as work:
            current = await work.transfers.get(transfer.id)
        return current is None or current.stage is not TransferStage.COPYING

    async def _note(self, transfer: Transfer, done: int) -> None:
        async with self.gateway.work() as work:
            current = await work.transfers.get(transfer.id, for_update=True)
            if current is not None and current.stage is TransferStage.COPYING:
                await work.transfers.save(replace(current, done=done, total=transfer.total))

    async def _switch(self, transfer: Transfer) -> bool:
        """Everything is there: tell it, and of a move give it the identities. False when somebody else did."""
        copied = transfer.kind is TransferKind.COPY
        view = await self.gateway.view(transfer.path, listing=False) if copied else None
        async with self.gateway.work() as work:
            await work.beside(OWNERS)
            current = await work.transfers.get(transfer.id, for_update=True)
            if current is None or current.stage is not TransferStage.COPYING:
                return False
            if view is not None:
                shown = Places.read(transfer.wish.get("shown", _NOTHING))
                await copy_nodes(work, transfer.source, transfer.path, self.gateway.new_id, shown)
                await note(work, COPIED, transfer.path, transfer.actor, document(view.stored, view.status))
                await end(work, transfer)
            else:
                await check_owned(work, transfer.path, transfer.wish["domain"])
                await work.objects.rename(transfer.source, transfer.path, transfer.wish["domain"])
                if await work.timers.hasten(transfer.path, work.now):  # they were set as of something new
                    await work.enqueue(LIFETIMES, "all", {})
                await work.nodes.rename(transfer.source, transfer.path)
                await note(work, RENAMED, transfer.path, transfer.actor, cdmi_source=transfer.source)
                await work.transfers.save(replace(current, stage=TransferStage.COPIED, done=current.total))
        return True


async def removed(work: Work, transfer: Transfer) -> None:
    """Of a move or a removal, the source is gone: forget it."""
    if await work.transfers.get(transfer.id, for_update=True) is None:
        return  # somebody else said so
    await end(work, transfer)
    if transfer.kind is TransferKind.DELETE:
        path = transfer.source
        gone = await work.objects.find(path)
        await work.objects.forget(path)
        await work.nodes.forget(path)
        await work.transfers.forget(path)
        await note(work, DELETED, path, transfer.actor, document(gone, None) if gone else {})


async def end(work: Work, transfer: Transfer) -> None:
    """It is over: nobody has to look at it any more."""
    await work.transfers.remove(transfer.id)
    await work.call_off(JOB, transfer.id)


@contextlib.asynccontextmanager
async def at_it(gateway: Gateway, transfer: Transfer) -> AsyncIterator[None]:
    """No worker takes it over while the block runs, however long that is."""

    async def say() -> None:
        while True:
            await asyncio.sleep(_AT_IT)
            try:
                async with gateway.work() as work:
                    await work.put_off(JOB, [transfer.id], work.now + TAKE_OVER)
            except Exception as error:  # noqa: BLE001 - whatever it is, there is time to say so again
                log.warning("transfer.not_put_off", transfer=transfer.id, error=str(error))

    saying = asyncio.create_task(say())
    try:
        yield
    finally:
        saying.cancel()


async def _give_up(gateway: Gateway, transfer_id: str, error: str) -> None:
    async with gateway.work() as work:
        current = await work.transfers.get(transfer_id, for_update=True)
        if current is not None and current.stage is TransferStage.COPYING:
            await work.transfers.save(
                replace(current, stage=TransferStage.FAILED, error=storable_text(error, 500))
            )


async def check_free(work: Work, gateway: Gateway, new: Transfer) -> None:
    """Raise ``Busy`` while others work on the paths.

    Of a move or a removal ``Forbidden`` for what is retained, and ``Conflict`` where a back-end is mounted.
    """
    transfers, source, path = work.transfers, new.source, new.path
    mount = gateway.mounts.at(source)
    if new.kind is not TransferKind.COPY and mount.prefix == source:
        raise Conflict(f"A back-end is mounted at {source}; only what is in it can be moved or removed")
    if await transfers.taking(source) or await transfers.taking(path) or await transfers.making(path):
        raise Busy(source)
    if new.kind is not TransferKind.COPY:
        if await transfers.making(source) or await moving(work, mount, source):
            raise Busy(source)
        if await work.transitions.any_below(source):  # it would go on at a path that is free for others
            raise Busy(source)
        for each in await work.objects.retained(source):
            check_untouched(each.path, each.metadata, work.now)


async def _tree(gateway: Gateway, status: Status) -> AsyncIterator[Status]:
    """What is at a path and in it; a container comes before what it holds."""
    yield status
    if status.object_type is ObjectType.CONTAINER:
        for child in await gateway.mounts.children(status.path):
            inner = await gateway.exists(join(status.path, child.name))
            if inner is not None:  # else it was removed since the listing
                async for each in _tree(gateway, inner):
                    yield each


async def _count(gateway: Gateway, status: Status, limit: int | None = None) -> int:
    """How many objects and containers are at a path and in it; no further than just above ``limit``."""
    count, containers = 1, [status.path] if status.object_type is ObjectType.CONTAINER else []
    while containers and (limit is None or count <= limit):
        container = containers.pop()
        children = await gateway.mounts.children(container)
        count += len(children)
        containers += [join(container, each.name) for each in children if each.object_type is ObjectType.CONTAINER]
    return count


async def _given(gateway: Gateway, source: str, change: Change) -> Change:
    """What the new object gets of the old one, where the request says nothing else."""
    stored = (await gateway.view(source, listing=False)).stored
    return replace(
        change,
        metadata={**stored.metadata, **(change.metadata or {})},
        mimetype=change.mimetype or stored.mimetype,
        encoding=stored.encoding,
        partial=stored.partial,
    )


def _wish(change: Change, shown: Places | None) -> dict[str, Any]:
    return {
        "shown": shown and shown.written,
        "metadata": None if change.metadata is None else dict(change.metadata),
        "mimetype": change.mimetype,
        "storage_class": change.storage_class,
        "groups": sorted(change.groups),
        "operator": change.operator,
        "identifier": change.identifier,
        "domain": change.domain,
    }


def _change(wish: Mapping[str, Any]) -> Change:
    said = {name: each for name, each in wish.items() if name != "shown"}
    return Change(**said | {"groups": frozenset(wish["groups"])})
