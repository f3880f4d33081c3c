"""A copy of a record is where it was promised to be: the log has it."""

from __future__ import annotations

from indigo_contracts.envelope import Envelope
from indigo_contracts.qos import TransitionCompleted

from indigo_repository.application.evidence import take_transition
from indigo_repository.application.work import Work


async def on_transition_completed(work: Work, fact: TransitionCompleted, envelope: Envelope) -> None:
    await take_transition(work, fact.transition, envelope.source)
