"""The one way a change of an identifier is stored: with its entry in the history, and the fact that tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from indigo_contracts.envelope import Actor
from indigo_contracts.pid import IdentifierMinted, IdentifierTombstoned, IdentifierUpdated

from indigo_pid.application.ports import Work
from indigo_pid.domain.history import Change, Entry
from indigo_pid.domain.identifier import Identifier, Owner

NO_REASON = "No reason was given."


async def store_new(work: Work, made: Sequence[Identifier], actor: Owner | None) -> list[Identifier]:
    """Store new identifiers at once and tell of each; those whose name was free, with their history."""
    written = [_written(one, Change.MINTED, actor) for one in made]
    free = await work.identifiers.add(written)
    stored = [identifier for identifier, _ in written if identifier.handle in free]
    for identifier in stored:
        _tell(work, identifier, Change.MINTED, actor)
    return stored


async def store_change(work: Work, identifier: Identifier, change: Change, actor: Owner | None) -> Identifier:
    """Store ``identifier`` as it has become; the same with its new head."""
    identifier, entry = _written(identifier, change, actor)
    await work.identifiers.save(identifier, entry)
    _tell(work, identifier, change, actor)
    return identifier


def _written(identifier: Identifier, change: Change, actor: Owner | None) -> tuple[Identifier, Entry]:
    entry = Entry.of(identifier, change, actor)
    return replace(identifier, head=entry.hash), entry


def _tell(work: Work, identifier: Identifier, change: Change, actor: Owner | None) -> None:
    snapshot = identifier.snapshot()
    who = None if actor is None else Actor(iss=actor.iss, sub=actor.sub)
    if change is Change.MINTED:
        fact: IdentifierMinted | IdentifierUpdated | IdentifierTombstoned = IdentifierMinted(
            identifier=snapshot, actor=who
        )
    elif change is Change.TOMBSTONED:
        fact = IdentifierTombstoned(identifier=snapshot, reason=identifier.reason or NO_REASON, actor=who)
    else:
        fact = IdentifierUpdated(identifier=snapshot, actor=who)
    work.emit(fact, subject=identifier.subject, version=identifier.version)
