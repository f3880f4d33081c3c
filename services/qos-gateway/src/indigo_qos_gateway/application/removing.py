"""Removal of objects and containers: checked and noted first, so that nothing is put on hold while it goes.

A process that dies half way leaves the rest to the worker that carries out copies and moves.
"""

from __future__ import annotations

from indigo_contracts.envelope import Actor
from indigo_kernel.ids import new_id

from indigo_qos_gateway.application.copying import JOB, TAKE_OVER, at_it, check_free, end, removed
from indigo_qos_gateway.application.objects import TRANSFERS, Gateway
from indigo_qos_gateway.domain.paths import RESERVED, join
from indigo_qos_gateway.domain.transfer import Transfer, TransferKind, TransferStage

_NOWHERE = f"/{RESERVED}removed"
"""Removals make nothing, but each has a path of its own."""


async def delete(gateway: Gateway, path: str, actor: Actor | None) -> None:
    """Remove an object, or a container with everything in it.

    Raises ``ObjectNotFound``, ``Busy`` while others work on it, ``Forbidden`` while something in it is retained
    or on hold, and ``Conflict`` where a back-end is mounted. A storage that fails may have removed a part.
    """
    identifier = new_id()
    removal = Transfer(
        id=identifier,
        kind=TransferKind.DELETE,
        source=path,
        path=join(_NOWHERE, identifier),
        wish={},
        actor=actor,
        total=1,
        stage=TransferStage.COPIED,
    )
    async with gateway.work() as work:
        await work.alone(TRANSFERS)
        await check_free(work, gateway, removal)
        await work.transfers.add(removal)
        await work.enqueue(JOB, identifier, {"transfer_id": identifier}, run_at=work.now + TAKE_OVER)
    mount = gateway.mounts.at(path)
    try:
        async with at_it(gateway, removal):
            await mount.backend.delete(mount.inner(path))
    except Exception:
        async with gateway.work() as work:  # whoever asked learns why, and what is left stays
            await end(work, removal)
        raise
    async with gateway.work() as work:
        await removed(work, removal)
