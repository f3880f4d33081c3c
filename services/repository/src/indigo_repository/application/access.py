"""Who may see and change what. A draft of somebody else is not there."""

from __future__ import annotations

from indigo_contracts.repository import RecordState
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.problems import Forbidden, Gone, NotFound, Unauthenticated

from indigo_repository.application.work import Work
from indigo_repository.domain.record import Record


def owns(record: Record, who: Principal) -> bool:
    return record.owner is not None and who.owns(record.owner.iss, record.owner.sub)


async def draft_for_reading(work: Work, record_id: str, who: Principal) -> Record:
    """A draft, for its owner and operators. Raises ``NotFound`` for everybody else."""
    record = await work.records.get(record_id)
    if record.state is not RecordState.DRAFT or not (owns(record, who) or who.has(Scope.OPERATOR)):
        raise NotFound("There is no such record")  # as for an id nobody has
    return record


async def draft_for_writing(work: Work, record_id: str, who: Principal) -> Record:
    """A locked, editable draft of ``who``. Raises ``NotFound``, ``Conflict`` while and after it is published."""
    record = await owned_for_writing(work, record_id, who)
    record.must_be_editable()
    return record


async def owned_for_writing(work: Work, record_id: str, who: Principal) -> Record:
    """A locked record of ``who`` in whatever state. Raises ``NotFound`` for a draft of somebody else."""
    who.require(Scope.REPOSITORY_WRITE)
    record = await work.records.get(record_id, lock=True)
    if not owns(record, who):
        if record.state is RecordState.DRAFT:
            raise NotFound("There is no such record")
        raise Forbidden("The record belongs to somebody else")
    return record


async def public_record(work: Work, record_id: str) -> Record:
    """A published record. Raises ``NotFound`` for a draft, ``Gone`` with the tombstone for a withdrawn record."""
    record = await work.records.get(record_id)
    if record.state is RecordState.DRAFT:
        raise NotFound("There is no such record")
    if record.state is RecordState.WITHDRAWN:
        raise gone(record)
    return record


def gone(record: Record) -> Gone:
    """The tombstone: what the record was, who made it, when and why it was withdrawn."""
    assert record.withdrawn_at is not None
    return Gone(
        f"The record was withdrawn: {record.reason}",
        tombstone={
            "record_id": record.id,
            "kind": record.kind.value,
            "title": record.metadata.title,
            "creators": [person.name for person in record.metadata.creators],
            "publication_date": record.metadata.publication_date and record.metadata.publication_date.isoformat(),
            "identifiers": record.identifiers.model_dump(exclude_none=True),
            "reason": record.reason,
            "withdrawn_at": record.withdrawn_at.isoformat(),
        },
    )


def may_read_files(record: Record, who: Principal) -> bool:
    """Files of an open record are everybody's; else the owner's, the operators' and the other services'."""
    if record.metadata.access == "open":
        return True
    return owns(record, who) or who.has(Scope.SERVICE) or who.has(Scope.OPERATOR)


def require_file_access(record: Record, who: Principal) -> None:
    """Raises ``Unauthenticated`` or ``Forbidden`` when ``who`` may not read the record's files."""
    if may_read_files(record, who):
        return
    if who.anonymous:
        raise Unauthenticated(f"The files of this record are {record.metadata.access}")
    raise Forbidden(f"The files of this record are {record.metadata.access}")
