"""A reserved draft was thrown away: its identifier is given up, and stays reserved for nothing."""

from __future__ import annotations

from indigo_contracts.envelope import Envelope
from indigo_contracts.repository import RecordDiscarded

from indigo_pid.application.identifiers import Rules
from indigo_pid.application.ports import Work
from indigo_pid.application.records import give_up_record
from indigo_pid.consumers.records import refusals_are_final


async def on_record_discarded(rules: Rules, work: Work, fact: RecordDiscarded, _envelope: Envelope) -> None:
    """Give its identifier up. Raises ``PermanentError`` when that is public."""
    with refusals_are_final():
        await give_up_record(work, rules, fact.record)
