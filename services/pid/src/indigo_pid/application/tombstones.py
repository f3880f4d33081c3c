"""Ending an identifier: what its tombstone says, and where it points on to."""

from __future__ import annotations

from dataclasses import dataclass

from indigo_contracts.pid import IdentifierState
from indigo_contracts.problems import FieldError
from indigo_kernel.auth.principal import Principal
from indigo_kernel.etag import Expected
from indigo_kernel.problems import InvalidBody

from indigo_pid.application.changes import store_change
from indigo_pid.application.identifiers import Rules, errors_below, own_identifier
from indigo_pid.application.ports import Work
from indigo_pid.domain.history import Change
from indigo_pid.domain.identifier import Identifier, Owner
from indigo_pid.domain.names import parse_name
from indigo_pid.domain.proxies import name_at


@dataclass(frozen=True, slots=True)
class Tombstoning:
    """What a tombstone says: why, how to cite what was there, and the name or URL of what took its place."""

    reason: str
    citation: str | None = None
    replacement: str | None = None


async def tombstone_identifier(
    work: Work, rules: Rules, handle: str, wanted: Tombstoning, expected: Expected, who: Principal
) -> Identifier:
    """State that what the identifier names is gone. The name stays, and is never given again.

    Raises ``NotFound``, ``Forbidden``, ``StaleVersion``, ``Conflict``, ``InvalidBody`` for a replacement
    that is neither a name here nor a URL the resolver may lead to.
    """
    before = await own_identifier(work, handle, expected, who)
    gone = before.tombstone(
        wanted.reason,
        now=work.now,
        citation=wanted.citation,
        replacement=await _replacement(work, rules, before, wanted.replacement),
    )
    return await store_change(work, gone, Change.TOMBSTONED, Owner(who.iss, who.sub))


async def _replacement(work: Work, rules: Rules, before: Identifier, given: str | None) -> str | None:
    """A name of ours as its handle, whichever of its faces or addresses was given; a URL as it came.

    A name of ours resolves at that moment and is another one. So replacements never lead in circles: what is
    replaced is tombstoned for good, and nothing tombstoned becomes a replacement.
    """
    if given is None:
        return None
    name = parse_name(name_at(given, rules.naming.base_url) or given)
    if name is None or not rules.naming.is_ours(name):
        with errors_below("/replacement", instead=True):
            return rules.target(given, of=before.handle)
    found = await work.identifiers.find(name)
    if found is None or found.state is not IdentifierState.ACTIVE or found.handle == before.handle:
        detail = f"{given} is no other identifier that resolves here"
        raise InvalidBody(detail, errors=[FieldError(pointer="/replacement", detail=detail, code="replacement")])
    return found.handle
