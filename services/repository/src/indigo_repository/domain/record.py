"""A record: what it is, how it changes, when it may be published. Pure decisions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal

from indigo_contracts.dmp import Person
from indigo_contracts.envelope import Actor
from indigo_contracts.problems import FieldError
from indigo_contracts.repository import Identifiers, PlanLink, RecordKind, RecordState
from indigo_kernel.problems import Conflict, Gone, InvalidBody

from indigo_repository.domain.files import File, FileState

Access = Literal["open", "restricted", "closed"]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a depositor says about a record. A draft may lack what publication needs."""

    title: str | None = None
    description: str | None = None
    creators: tuple[Person, ...] = ()
    publisher: str | None = None
    publication_date: date | None = None
    language: str | None = None
    keywords: tuple[str, ...] = ()
    license: str | None = None
    access: Access = "open"
    formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One version of one record.

    ``object_id`` is shared by the records of a version chain; ``edition`` is the number in that chain and of the
    version in the store. ``publication`` names the try to publish that froze the draft; it stays afterwards.
    ``prefilled`` says that no person has edited the draft yet.
    """

    id: str
    object_id: str
    edition: int
    previous: str | None
    kind: RecordKind
    state: RecordState
    version: int
    owner: Actor | None
    metadata: Metadata
    plan: PlanLink | None
    identifiers: Identifiers
    prefilled: bool
    created_at: datetime
    updated_at: datetime
    publication: str | None = None
    published_at: datetime | None = None
    withdrawn_at: datetime | None = None
    reason: str | None = None

    @property
    def frozen(self) -> bool:
        """Whether a publication has begun and not ended."""
        return self.state is RecordState.DRAFT and self.publication is not None

    def changed(self, now: datetime, **fields: object) -> Record:
        """The record with other fields, one version later."""
        return replace(self, version=self.version + 1, updated_at=now, **fields)  # type: ignore[arg-type]

    def must_be_editable(self) -> None:
        """Raise ``Conflict`` unless the draft may be changed."""
        if self.state is RecordState.WITHDRAWN:
            raise Gone(f"The record was withdrawn: {self.reason}")
        if self.state is RecordState.PUBLISHED:
            raise Conflict("The record is published; its files and its draft cannot be changed")
        if self.frozen:
            raise Conflict("The record is being published")

    def edited(self, metadata: Metadata, now: datetime) -> Record:
        self.must_be_editable()
        return self.changed(now, metadata=metadata, prefilled=False)

    def frozen_for(self, publication: str, files: list[File], now: datetime) -> Record:
        """The draft, closed for changes by a try to publish. Raises ``InvalidBody`` with all that is missing."""
        self.must_be_editable()
        errors = missing_for_publication(self.kind, self.metadata, files)
        if errors:
            raise InvalidBody("The record cannot be published yet", errors=errors)
        return self.changed(
            now,
            publication=publication,
            metadata=replace(self.metadata, publication_date=self.metadata.publication_date or now.date()),
        )

    def thawed(self, now: datetime) -> Record:
        """The draft, open again after a publication that failed."""
        return self.changed(now, publication=None)

    def published(self, now: datetime) -> Record:
        return self.changed(now, state=RecordState.PUBLISHED, published_at=now)

    def withdrawn(self, reason: str, now: datetime) -> Record:
        if self.state is RecordState.WITHDRAWN:
            raise Gone("The record is withdrawn already")
        if self.state is RecordState.DRAFT:
            raise Conflict("The record is not published; its draft can be deleted")
        return self.changed(now, state=RecordState.WITHDRAWN, withdrawn_at=now, reason=reason)


def missing_for_publication(kind: RecordKind, metadata: Metadata, files: list[File]) -> list[FieldError]:
    """What stands between a draft and its publication, with pointers into the draft."""
    errors = []

    def miss(pointer: str, detail: str) -> None:
        errors.append(FieldError(pointer=pointer, detail=detail, code="missing"))

    if not metadata.title:
        miss("/metadata/title", "A published record has a title")
    if not metadata.creators:
        miss("/metadata/creators", "A published record names at least one creator")
    if kind is not RecordKind.DMP and metadata.access == "open" and not metadata.license:
        miss("/metadata/license", "An open record says under which license it may be used")
    if not files:
        miss("/files", "A published record has at least one file")
    for number, file in enumerate(files):
        if file.state is not FileState.COMPLETED:
            detail = f"The upload of {file.key!r} is not complete: send its content and commit it, or delete it"
            errors.append(FieldError(pointer=f"/files/entries/{number}", detail=detail, code="incomplete"))
    return errors
