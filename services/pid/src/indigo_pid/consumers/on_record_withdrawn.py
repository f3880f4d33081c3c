"""A record was withdrawn: its identifier becomes a tombstone and its DOI is no longer findable."""

from __future__ import annotations

from indigo_contracts.envelope import Envelope
from indigo_contracts.repository import RecordWithdrawn

from indigo_pid.application.identifiers import Rules
from indigo_pid.application.ports import Work
from indigo_pid.application.records import follow_record
from indigo_pid.consumers.records import refusals_are_final


async def on_record_withdrawn(rules: Rules, work: Work, fact: RecordWithdrawn, _envelope: Envelope) -> None:
    """Follow the record. Raises ``PermanentError`` when it cannot be followed."""
    with refusals_are_final():
        await follow_record(work, rules, fact.record, reason=fact.reason)
