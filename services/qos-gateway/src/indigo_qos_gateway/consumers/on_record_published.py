"""A record was published: its files are fixed and can be copied."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from indigo_contracts.envelope import Envelope
from indigo_contracts.repository import RecordPublished

from indigo_qos_gateway.application.mounts import MountTable
from indigo_qos_gateway.application.placement import note_record
from indigo_qos_gateway.application.ports import Work


def on_record_published(mounts: MountTable) -> Callable[[Work, RecordPublished, Envelope], Awaitable[None]]:
    """The consumer over these mounts."""

    async def apply(work: Work, fact: RecordPublished, _: Envelope) -> None:
        await note_record(work, mounts, fact.record)

    return apply
