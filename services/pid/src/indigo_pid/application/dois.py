"""What the registrar shall know: derived from identifiers and their records, never written by hand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from indigo_contracts.pid import IdentifierState
from indigo_contracts.repository import RecordKind
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.problems import NotFound

from indigo_pid.application.ports import Work
from indigo_pid.domain.datacite import Relation, attributes_for
from indigo_pid.domain.doi import Doi, DoiState, DoiStatus
from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.names import Scheme, parse_name
from indigo_pid.domain.versions import is_public, newest_of

JOB = "doi"
"""Kind of the jobs that bring a registrar to what is wanted; the key is the DOI."""

_DESIRED = {
    IdentifierState.RESERVED: DoiState.DRAFT,
    IdentifierState.ACTIVE: DoiState.FINDABLE,
    IdentifierState.TOMBSTONED: DoiState.REGISTERED,
}


async def describe_doi(work: Work, identifier: Identifier) -> None:
    """Derive what is wanted of the DOI of ``identifier`` and, when that is new, ask for it."""
    if identifier.doi is None:
        return
    desired = _DESIRED[identifier.state]
    attributes = (
        {} if desired is DoiState.DRAFT else attributes_for(identifier, await _relations(work, identifier))
    )
    await _want(work, identifier, desired, attributes)


async def describe_family(work: Work, concept: str, *, replaced: Collection[str] = (), versions: bool) -> None:
    """Derive what is wanted of the DOI of ``concept``, and with ``versions`` of those of its public versions.

    It is described as the newest version is, and names them all. The registrar hears of it, and the versions
    name it, once two of them are public: a draft that comes to nothing leaves no trace there. The DOIs of
    concepts it ``replaced`` are hidden and name it.
    """
    public = await _public_versions(work, concept)
    if versions:
        for one in public:
            await describe_doi(work, one)
    standing = await work.identifiers.of_handle(concept)
    if standing is None or standing.doi is None or len(public) < 2:
        return
    newest = newest_of(public)
    relations = [Relation("HasVersion", one.doi, one.kind) for one in public if one.doi is not None]
    await _want(work, standing, _DESIRED[newest.state], attributes_for(standing, relations, newest))
    for handle in replaced:
        former = await work.identifiers.of_handle(handle)
        known = None if former is None or former.doi is None else await work.dois.find(former.doi)
        if former is not None and known is not None:
            same = [Relation("IsIdenticalTo", standing.doi, standing.kind)]
            await _want(work, former, DoiState.REGISTERED, attributes_for(former, same, newest))


async def _want(work: Work, identifier: Identifier, desired: DoiState, attributes: Mapping[str, Any]) -> None:
    """Have the registrar brought to this, unless that is what is wanted already."""
    assert identifier.doi is not None, "only what has a DOI is registered"
    known = await work.dois.find(identifier.doi, for_update=True)
    if known is None:
        doi = Doi(
            doi=identifier.doi,
            handle=identifier.handle,
            record_id=identifier.record_id,
            plan=identifier.plan,
            desired=desired,
            attributes=attributes,
            revision=1,
            version=1,
            next_try_at=None if desired is DoiState.DRAFT else work.now,
        )
    else:
        doi = known.want(desired, attributes, now=work.now)
    if doi != known:
        await work.dois.save(doi)
        if desired is not DoiState.DRAFT:
            await work.enqueue(JOB, doi.doi, {})


async def describe_neighbors(work: Work, identifier: Identifier) -> None:
    """Describe those anew that are related to ``identifier``, which just became public."""
    for neighbor, _ in await _neighbors(work, identifier):
        if neighbor.record is not None:  # a concept is described with its family
            await describe_doi(work, neighbor)


async def read_doi(work: Work, doi: str, who: Principal) -> Doi:
    """Where a registration stands. A name that is only set aside is shown to services and operators.

    Raises ``NotFound``.
    """
    found = await _find(work, doi)
    if found.status is DoiStatus.SET_ASIDE and not (who.has(Scope.OPERATOR) or who.has(Scope.SERVICE)):
        raise NotFound(f"There is no DOI {doi} here")
    return found


async def list_dois(
    work: Work, status: DoiStatus | None, who: Principal, *, after: str | None, limit: int
) -> Sequence[Doi]:
    """Registrations by name, those in ``status`` only if given. For operators."""
    who.require(Scope.OPERATOR)
    return await work.dois.listed(status, after=after, limit=limit)


async def retry_doi(work: Work, doi: str, who: Principal, *, even_if_done: bool = False) -> Doi:
    """Ask the registrar again now, ``even_if_done`` because it has drifted. For operators.

    Raises ``NotFound``, and ``Conflict`` when the registrar has all that is wanted.
    """
    who.require(Scope.OPERATOR)
    again = (await _find(work, doi, for_update=True)).retry(now=work.now, even_if_done=even_if_done)
    await work.dois.save(again)
    await work.enqueue(JOB, again.doi, {})
    return again


async def _find(work: Work, doi: str, *, for_update: bool = False) -> Doi:
    name = parse_name(doi)
    found = await work.dois.find(name.key, for_update=for_update) if name and name.scheme is Scheme.DOI else None
    if found is None:
        raise NotFound(f"There is no DOI {doi} here")
    return found


async def _relations(work: Work, identifier: Identifier) -> list[Relation]:
    return [
        Relation(relation, neighbor.doi, neighbor.kind)
        for neighbor, relation in await _neighbors(work, identifier)
        if neighbor.doi is not None
    ]


async def _neighbors(work: Work, identifier: Identifier) -> list[tuple[Identifier, str]]:
    """The public identifiers related to ``identifier``, and how it stands to each of them.

    An output is documented by the newest edition of its plan, and a plan documents its outputs; versions of
    a record know the one before, the one after, and the concept of all of them.
    """
    record = identifier.record
    if record is None:
        return []
    found: list[tuple[Identifier, str]] = []
    if record.plan is not None:
        family = [one for one in await work.identifiers.of_plan(record.plan.plan_id) if is_public(one)]
        if record.kind is RecordKind.DMP:
            found += [(one, "Documents") for one in family if one.kind is not RecordKind.DMP]
        else:
            plans = [one for one in family if one.kind is RecordKind.DMP]
            if plans:
                found.append((max(plans, key=_plan_edition), "IsDocumentedBy"))
    if record.previous is not None:
        previous = await work.identifiers.of_record(record.previous)
        if previous is not None and is_public(previous):
            found.append((previous, "IsNewVersionOf"))
    found += [
        (one, "IsPreviousVersionOf") for one in await work.identifiers.after(record.record_id) if is_public(one)
    ]
    if identifier.concept is not None and len(await _public_versions(work, identifier.concept)) > 1:
        concept = await work.identifiers.of_handle(identifier.concept)
        found += [(concept, "IsVersionOf")] if concept is not None else []
    return found


async def _public_versions(work: Work, concept: str) -> list[Identifier]:
    return [one for one in await work.identifiers.of_concept(concept) if is_public(one)]


def _plan_edition(identifier: Identifier) -> int:
    return identifier.plan.edition if identifier.plan else 0
