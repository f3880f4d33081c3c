"""Facts of the other services that say how a promise stands."""

from __future__ import annotations

from indigo_contracts.envelope import Envelope, Fact

from indigo_dmp.application.ledger import record_evidence
from indigo_dmp.application.ports import Work
from indigo_dmp.domain.readings import readings_of


async def on_evidence(work: Work, fact: Fact, envelope: Envelope) -> None:
    """Enter the fact into the ledger of the plan it links to; a fact without a plan is nobody's promise."""
    await record_evidence(work, readings_of(fact, envelope.id, envelope.time))
