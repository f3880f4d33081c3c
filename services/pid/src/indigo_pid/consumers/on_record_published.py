"""A record is public: its identifier leads there and its DOI is to be findable."""

from __future__ import annotations

from indigo_contracts.envelope import Envelope
from indigo_contracts.repository import RecordPublished

from indigo_pid.application.identifiers import Rules
from indigo_pid.application.ports import Work
from indigo_pid.application.records import follow_record
from indigo_pid.consumers.records import refusals_are_final


async def on_record_published(rules: Rules, work: Work, fact: RecordPublished, _envelope: Envelope) -> None:
    """Follow the record. Raises ``PermanentError`` when it cannot be followed."""
    with refusals_are_final():
        await follow_record(work, rules, fact.record)
