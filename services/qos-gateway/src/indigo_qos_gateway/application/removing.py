"""Removal of objects and containers: checked and noted first, so that nothing is put on hold while it goes.

A process that dies half way leaves the rest to the worker that carries out copies and moves.
"""

from __future__ import annotations

from indigo_contracts.envelope import Actor
from indigo_kernel.ids import new_id
from indigo_kernel.problems import Conflict

from indigo_qos_gateway.application.copying import JOB, TAKE_OVER, at_it, removed
from indigo_qos_gateway.application.objects import TRANSFERS, Gateway
from indigo_qos_gateway.application.transitions import moving
from indigo_qos_gateway.domain.errors import Busy
from indigo_qos_gateway.domain.paths import RESERVED, join
from indigo_qos_gateway.domain.retention import check_untouched
from indigo_qos_gateway.domain.transfer import Transfer, TransferKind, TransferStage

_NOWHERE = f"/{RESERVED}removed"
"""Removals make nothing, but each has a path of its own."""


async def delete(gateway: Gateway, path: str, actor: Actor | None) -> None:
    """Remove an object, or a container with everything in it.

    Raises ``ObjectNotFound``, ``Busy`` while others work on it, ``Forbidden`` while something in it is retained
    or on hold, and ``Conflict`` where a back-end is mounted. A storage that fails may have removed a part.
    """
    mount = gateway.mounts.at(path)
    if mount.prefix == path:
        raise Conflict(f"A back-end is mounted at {path}; only what is in it can be removed")
    identifier = new_id()
    removal = Transfer(
        id=identifier,
        kind=TransferKind.DELETE,
        source=path,
        path=join(_NOWHERE, identifier),
        wish={},
        actor=(actor.iss, actor.sub) if actor else None,
        total=1,
        stage=TransferStage.COPIED,
    )
    async with gateway.work() as work:
        await work.alone(TRANSFERS)
        if (
            await moving(work, mount, path)
            or await work.transfers.taking(path)
            or await work.transfers.making(path)
        ):
            raise Busy(path)
        for each in await work.objects.retained(path):
            check_untouched(each.path, each.metadata, work.now)
        await work.transfers.add(removal)
        await work.enqueue(JOB, identifier, {"transfer_id": identifier}, run_at=work.now + TAKE_OVER)
    try:
        async with at_it(gateway, removal):
            await mount.backend.delete(mount.inner(path))
    except Exception:
        async with gateway.work() as work:  # whoever asked learns why, and what is left stays
            await work.transfers.remove(identifier)
            await work.call_off(JOB, identifier)
        raise
    async with gateway.work() as work:
        await removed(work, removal)
