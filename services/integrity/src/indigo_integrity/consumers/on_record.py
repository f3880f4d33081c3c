"""``repository.record.published``, ``.updated`` and ``.withdrawn``: what there is to test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from indigo_contracts.envelope import Envelope
from indigo_contracts.repository import RecordPublished, RecordUpdated, RecordWithdrawn

from indigo_integrity.application.ports import Work
from indigo_integrity.application.snapshots import keep_record

RecordFact = RecordPublished | RecordUpdated | RecordWithdrawn


def on_record(fixity_interval: timedelta) -> Callable[[Work, RecordFact, Envelope], Awaitable[None]]:
    """The consumer; a record's files are read back every ``fixity_interval``."""

    async def apply(work: Work, fact: RecordFact, envelope: Envelope) -> None:  # noqa: ARG001
        await keep_record(work, fact.record, fixity_interval)

    return apply
