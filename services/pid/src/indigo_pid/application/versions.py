"""Versions of one thing share a concept identifier: it leads to the newest of them, and has a DOI as they do."""

from __future__ import annotations

from indigo_contracts.pid import IdentifierState

from indigo_pid.application.changes import store_change
from indigo_pid.application.identifiers import Rules, add_new
from indigo_pid.application.ports import Work
from indigo_pid.domain.history import Change
from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.versions import is_public, newest_of


async def link_versions(work: Work, rules: Rules, identifier: Identifier) -> tuple[Identifier, set[str]]:
    """Give ``identifier`` and its neighbors in the chain of versions their concept, and lead that to the newest.

    The concept is minted when a second version is heard of. The versions may be heard of in any order; when
    two chains turn out to be one, the concept with the older member stays the one that is given to both. With
    ``identifier`` come the concepts that other ones took the place of.
    """
    if not await _neighbors(work, identifier) and identifier.concept is None:
        return identifier, set()
    # A concept is changed on behalf of versions far apart; what was read before this may be outdated.
    await work.alone("versions")
    neighbors = await _neighbors(work, identifier)
    family = sorted([identifier, *neighbors], key=lambda one: (one.created_at, one.handle))
    concept = next((one.concept for one in family if one.concept is not None), None)
    if concept is None:
        concept = (await add_new(work, rules, kind=identifier.kind, citable=True)).handle
    replaced = {one.concept for one in family} - {concept, None}
    for one in family:
        await _join(work, one, concept)
    await _lead_to_newest(work, rules, concept)
    joined = identifier.join(concept, now=work.now)
    found = identifier if joined is identifier else await _again(work, identifier)
    return found, {str(one) for one in replaced}


async def _neighbors(work: Work, identifier: Identifier) -> list[Identifier]:
    record = identifier.record
    assert record is not None, "only records have versions"
    found = await work.identifiers.after(record.record_id)
    if record.previous is not None:
        before = await work.identifiers.of_record(record.previous)
        if before is not None:
            found.append(before)
    return found


async def _join(work: Work, version: Identifier, concept: str) -> None:
    """Move ``version`` to ``concept``, and with it whoever shares the concept it had."""
    former = version.concept
    members = [version] if former in {None, concept} else await work.identifiers.of_concept(str(former))
    for member in members:
        joined = member.join(concept, now=work.now)
        if joined is not member:
            await store_change(work, joined, Change.UPDATED, None)
    if former not in {None, concept}:
        await _forward(work, str(former), concept)


async def _lead_to_newest(work: Work, rules: Rules, concept: str) -> None:
    public = [one for one in await work.identifiers.of_concept(concept) if is_public(one)]
    if not public:
        return
    standing = await work.identifiers.of_handle(concept)
    assert standing is not None, "concepts are never removed"
    if standing.doi is None:  # one of the days when concepts had no DOI names
        named = Identifier.mint(
            rules.naming, concept.partition("/")[2], now=work.now, kind=standing.kind, citable=True
        )
        await store_change(work, standing.cite_as(named.doi, now=work.now), Change.UPDATED, None)
    newest = newest_of(public)
    goes_on = newest.state is IdentifierState.ACTIVE and newest.target is not None
    await _lead(work, concept, str(newest.target) if goes_on else newest.resolver_url)


async def _forward(work: Work, concept: str, to: str) -> None:
    """Lead ``concept`` to the one that took its place, by that one's own name: where it leads will change."""
    goal = await work.identifiers.of_handle(to)
    assert goal is not None, "concepts are never removed"
    await _lead(work, concept, goal.resolver_url)


async def _lead(work: Work, concept: str, target: str) -> None:
    standing = await work.identifiers.of_handle(concept)
    assert standing is not None, "concepts are never removed"
    led = standing.direct(target, now=work.now)
    if led is not standing:
        await store_change(work, led, Change.UPDATED, None)


async def _again(work: Work, identifier: Identifier) -> Identifier:
    found = await work.identifiers.of_handle(identifier.handle)
    assert found is not None, "it was stored just now"
    return found
