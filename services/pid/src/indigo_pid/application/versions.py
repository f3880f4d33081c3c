"""Versions of one thing share a concept identifier, which leads to the newest of them."""

from __future__ import annotations

from indigo_contracts.pid import IdentifierState

from indigo_pid.application.changes import store_change
from indigo_pid.application.identifiers import Rules, add_new
from indigo_pid.application.ports import Work
from indigo_pid.domain.history import Change
from indigo_pid.domain.identifier import Identifier


async def link_versions(work: Work, rules: Rules, identifier: Identifier) -> Identifier:
    """Give ``identifier`` and its neighbors in the chain of versions their concept, and lead that to the newest.

    The concept is minted when a second version is heard of. The versions may be heard of in any order; when
    two chains turn out to be one, the concept with the older member stays the one that is given to both.
    """
    neighbors = await _neighbors(work, identifier)
    if not neighbors and identifier.concept is None:
        return identifier
    family = sorted([identifier, *neighbors], key=lambda one: (one.created_at, one.handle))
    concept = next((one.concept for one in family if one.concept is not None), None)
    if concept is None:
        concept = (await add_new(work, rules, kind=identifier.kind)).handle
    for one in family:
        await _join(work, one, concept)
    await _lead_to_newest(work, concept)
    joined = identifier.join(concept, now=work.now)
    return identifier if joined is identifier else await _again(work, identifier)


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
        await _lead(work, str(former), concept)


async def _lead_to_newest(work: Work, concept: str) -> None:
    """A version that is withdrawn counts when no other is left: its tombstone is where the concept leads then."""
    public = [
        one for one in await work.identifiers.of_concept(concept) if one.state is not IdentifierState.RESERVED
    ]
    if public:
        newest = max(public, key=lambda one: (one.state is IdentifierState.ACTIVE, _edition(one), one.created_at))
        await _lead(work, concept, newest.handle)


async def _lead(work: Work, concept: str, to: str) -> None:
    """Lead the identifier ``concept`` to where the identifier ``to`` leads."""
    standing, goal = await work.identifiers.of_handle(concept), await work.identifiers.of_handle(to)
    assert standing is not None, "concepts are never removed"
    assert goal is not None, "versions are never removed"
    active = goal.state is IdentifierState.ACTIVE and goal.target is not None
    target = goal.target if active and goal.target is not None else goal.resolver_url
    led = standing.direct(target, now=work.now)
    if led is not standing:
        await store_change(work, led, Change.UPDATED, None)


async def _again(work: Work, identifier: Identifier) -> Identifier:
    found = await work.identifiers.of_handle(identifier.handle)
    assert found is not None, "it was stored just now"
    return found


def _edition(identifier: Identifier) -> int:
    return identifier.record.edition if identifier.record else 0
