"""A persistent identifier was minted or updated: the record shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from indigo_contracts.envelope import Envelope
from indigo_contracts.pid import IdentifierMinted, IdentifierUpdated
from indigo_kernel.bus.ports import TransientError

from indigo_repository.application.evidence import take_identifier
from indigo_repository.application.work import Work
from indigo_repository.domain.site import Site

log = structlog.get_logger()


def on_identifier_minted(
    site: Site,
) -> Callable[[Work, IdentifierMinted | IdentifierUpdated, Envelope], Awaitable[None]]:
    async def apply(work: Work, fact: IdentifierMinted | IdentifierUpdated, _envelope: Envelope) -> None:
        identifier = fact.identifier
        if await take_identifier(work, identifier, site) != "unknown":
            return
        if identifier.record_id is None and identifier.plan is not None:
            # Its plan may not have arrived yet: other subjects are not in order with this one.
            raise TransientError(f"no record yet for {identifier.handle} of plan {identifier.plan.plan_id}")
        log.info("identifier.ignored", handle=identifier.handle, record_id=identifier.record_id)

    return apply
