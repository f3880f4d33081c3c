"""Damage was seen: log it and read the record's files ourselves."""

from __future__ import annotations

from indigo_contracts.envelope import Envelope
from indigo_contracts.integrity import FixityFailed

from indigo_repository.application.evidence import take_fixity_failure
from indigo_repository.application.work import Work


async def on_fixity_failed(work: Work, fact: FixityFailed, envelope: Envelope) -> None:
    await take_fixity_failure(work, fact, envelope.source)
