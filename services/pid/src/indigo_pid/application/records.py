"""Identifiers of records follow what the repository states about them, in whatever order it arrives."""

from __future__ import annotations

from indigo_contracts.pid import IdentifierState
from indigo_contracts.repository import RecordSnapshot, RecordState

from indigo_pid.application.changes import NO_REASON, store_change
from indigo_pid.application.dois import describe_doi, describe_family, describe_neighbors
from indigo_pid.application.identifiers import Rules, add_new
from indigo_pid.application.ports import Work
from indigo_pid.application.versions import link_versions
from indigo_pid.domain.history import Change
from indigo_pid.domain.versions import is_public

DISCARDED = "The draft it was reserved for was thrown away."


async def follow_record(work: Work, rules: Rules, record: RecordSnapshot, *, reason: str | None = None) -> None:
    """Bring the identifier of ``record``, and its DOI, to what the record says; mint it when it is missing.

    Older news than what was heard before changes nothing. ``reason`` is why the record was withdrawn.
    Raises ``InvalidBody`` for a landing page nobody may be sent to, and ``Conflict`` for a record that comes
    back after its withdrawal.
    """
    await _alone_in_its_family(work, record)
    known = await work.identifiers.of_record(record.record_id, for_update=True)
    if known is not None and not known.is_news(record):
        return
    target = record.url
    if record.state is not RecordState.DRAFT:
        rules.target(target, of=rules.naming.handle_prefix)
    before = known or await add_new(work, rules, record=record)
    identifier = before.follow(record, target, reason=reason or NO_REASON, now=work.now)
    if identifier.version != before.version:
        gone = identifier.state is IdentifierState.TOMBSTONED
        identifier = await store_change(work, identifier, Change.TOMBSTONED if gone else Change.UPDATED, None)
    elif identifier != before:
        await work.identifiers.save(identifier)
    if known is not None and identifier.version == before.version:
        return
    identifier, replaced = await link_versions(work, rules, identifier)
    await describe_doi(work, identifier)
    became_public = is_public(identifier) and not is_public(before)
    if became_public:
        await describe_neighbors(work, identifier)
    if identifier.concept is not None:
        await describe_family(
            work, identifier.concept, replaced=replaced, versions=became_public or bool(replaced)
        )


async def give_up_record(work: Work, rules: Rules, record: RecordSnapshot) -> None:
    """Give up the identifier of ``record``, a draft that was thrown away before it was published.

    Its name was told to others, so nobody else gets it: it stays reserved, leads nowhere, and operators find it
    among the unused ones (``unused_identifiers``). News of the draft that come late change nothing.
    """
    await _alone_in_its_family(work, record)
    known = await work.identifiers.of_record(record.record_id, for_update=True)
    if known is not None and not known.is_news(record):
        return
    before = known or await add_new(work, rules, record=record)
    await store_change(work, before.give_up(record, DISCARDED, now=work.now), Change.GIVEN_UP, None)


async def _alone_in_its_family(work: Work, record: RecordSnapshot) -> None:
    """Wait until nobody else works on a record that this one describes or is described by.

    Records of one plan, and neighbors in a chain of versions, describe each other: side by side, each would miss
    what the other commits. Records that share nothing do not wait. All take the keys in one order.
    """
    keys = {f"record {record.record_id}"}
    if record.plan is not None:
        keys.add(f"plan {record.plan.plan_id}")
    if record.previous is not None:
        keys.add(f"record {record.previous}")
    for key in sorted(keys):
        await work.alone(key)
