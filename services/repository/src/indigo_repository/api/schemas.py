"""Bodies of the repository's API, in the shape of InvenioRDM's where it has one."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from indigo_contracts.dmp import Person
from indigo_contracts.problems import FieldError
from indigo_contracts.repository import PlanLink, RecordKind
from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, StringConstraints

from indigo_repository.domain.record import Metadata

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class CreatorIn(BaseModel):
    """Someone who made the thing. ``identifier`` is a URI, for example an ORCID or a ROR."""

    model_config = ConfigDict(extra="forbid")

    name: Words
    identifier: AnyHttpUrl | None = None
    affiliation: Words | None = None
    roles: list[Words] = Field(default_factory=list, max_length=20)


class MetadataIn(BaseModel):
    """What a depositor says. A draft may leave out what publication needs."""

    model_config = ConfigDict(extra="forbid")

    title: Words | None = None
    description: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100_000)] | None = None
    creators: list[CreatorIn] = Field(default_factory=list, max_length=10_000)
    publisher: Words | None = None
    publication_date: date | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = Field(
        default=None, description="language tag (BCP 47)"
    )
    keywords: list[Words] = Field(default_factory=list, max_length=1000)
    license: AnyHttpUrl | None = Field(default=None, description="license URI")
    access: Literal["open", "restricted", "closed"] = "open"
    formats: list[Words] = Field(default_factory=list, max_length=100, description="media types")

    def to_domain(self) -> Metadata:
        return Metadata(
            title=self.title,
            description=self.description,
            creators=tuple(
                Person(
                    name=creator.name,
                    identifier=str(creator.identifier) if creator.identifier else None,
                    affiliation=creator.affiliation,
                    roles=list(creator.roles),
                )
                for creator in self.creators
            ),
            publisher=self.publisher,
            publication_date=self.publication_date,
            language=self.language,
            keywords=tuple(self.keywords),
            license=str(self.license) if self.license else None,
            access=self.access,
            formats=tuple(self.formats),
        )


class NewDraft(BaseModel):
    """A draft to begin."""

    model_config = ConfigDict(extra="forbid")

    kind: RecordKind = RecordKind.DATASET
    metadata: MetadataIn = Field(default_factory=MetadataIn)


class DraftUpdate(BaseModel):
    """The new metadata of a draft; what is left out is taken away."""

    model_config = ConfigDict(extra="ignore")

    metadata: MetadataIn


class NewFileIn(BaseModel):
    model_config = ConfigDict(extra="ignore")

    key: Annotated[str, StringConstraints(min_length=1, max_length=2048)]


class Withdrawal(BaseModel):
    """Why a record is withdrawn; the tombstone says it."""

    model_config = ConfigDict(extra="forbid")

    reason: Words


class MetadataOut(BaseModel):
    """The metadata as it is shown; ``publisher`` is the repository's when the depositor named none."""

    title: str | None
    description: str | None
    creators: list[Person]
    publisher: str
    publication_date: date | None
    language: str | None
    keywords: list[str]
    license: str | None
    access: Literal["open", "restricted", "closed"]
    formats: list[str]


class AccessOut(BaseModel):
    """Metadata are always public; ``files`` says whether the bytes are."""

    record: Literal["public"] = "public"
    files: Literal["public", "restricted"]
    status: Literal["open", "restricted", "closed"]


class FilesSummary(BaseModel):
    count: int
    total_bytes: int


class PidOut(BaseModel):
    identifier: str


class VersionsOut(BaseModel):
    """Place in the chain of versions."""

    index: int
    is_latest: bool
    previous: str | None


class TestOut(BaseModel):
    """The latest verdict of one test of the record."""

    test: str
    level: str
    title: str
    verdict: str
    summary: str | None
    finished_at: datetime
    report_url: str


class RecordOut(BaseModel):
    """A record or a draft."""

    id: str
    kind: RecordKind
    status: Literal["draft", "published", "withdrawn"]
    is_published: bool
    is_draft: bool
    revision_id: int
    created: datetime
    updated: datetime
    metadata: MetadataOut
    access: AccessOut
    files: FilesSummary
    pids: dict[str, PidOut]
    versions: VersionsOut
    plan: PlanLink | None
    tests: list[TestOut]
    links: dict[str, str]
    errors: list[FieldError] = Field(default_factory=list, description="what publication still needs")


class Hits(BaseModel):
    hits: list[RecordOut]
    total: int


class RecordList(BaseModel):
    """A page of records, newest first."""

    hits: Hits
    links: dict[str, str]
    next_cursor: str | None


class FileOut(BaseModel):
    """A file. ``checksum`` is md5, as InvenioRDM tells it; compare ``sha256`` or ``sha512``."""

    key: str
    status: Literal["pending", "uploaded", "completed"]
    size: int | None
    mimetype: str
    checksum: str | None
    sha256: str | None
    sha512: str | None
    damage: Literal["changed", "missing", "unreadable"] | None
    checked_at: datetime | None
    links: dict[str, str]


class FileList(BaseModel):
    entries: list[FileOut]


class PremisEvent(BaseModel):
    """One event; names are those of PREMIS 3."""

    event_identifier: str = Field(serialization_alias="eventIdentifier")
    event_type: str = Field(serialization_alias="eventType")
    event_type_label: str = Field(serialization_alias="eventTypeLabel")
    event_date_time: datetime = Field(serialization_alias="eventDateTime")
    event_detail: dict[str, object] = Field(serialization_alias="eventDetailInformation")
    event_outcome: Literal["success", "failure", "warning"] = Field(serialization_alias="eventOutcome")
    event_outcome_detail: str = Field(serialization_alias="eventOutcomeDetail")
    linking_agent: str = Field(serialization_alias="linkingAgentIdentifier")
    linking_objects: list[str] = Field(serialization_alias="linkingObjectIdentifier")


class CheckedFile(BaseModel):
    file: str
    expected_sha256: str
    observed_sha256: str | None
    problem: Literal["changed", "missing", "unreadable"] | None


class VerificationOut(BaseModel):
    """A whole fixity check. ``object_problems`` are broken rules of OCFL 1.1, each with its code."""

    record_id: str
    checked_at: datetime
    files: int
    damaged: list[CheckedFile]
    object_problems: list[str]
