"""Records of the preservation repository and the facts stated about them."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from indigo_contracts.dmp import Person
from indigo_contracts.envelope import Fact
from indigo_contracts.text import Key


class RecordKind(StrEnum):
    DATASET = "dataset"
    SOFTWARE = "software"
    DMP = "dmp"
    ANALYSIS = "analysis"


class RecordFile(BaseModel):
    """One file of a record. ``url`` serves its bytes; ``sha256`` was taken while they were received."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str
    size: int = Field(ge=0)
    sha256: str
    mimetype: str
    url: str


class PlanLink(BaseModel):
    """The plan a record answers to. ``output`` is absent on the record of the plan itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    plan_id: str
    edition: int
    output: Key | None = None


class Identifiers(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    handle: str | None = None
    ark: str | None = None
    doi: str | None = None


class RecordState(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class RecordSnapshot(BaseModel):
    """A record as others may see it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    record_id: str
    kind: RecordKind
    state: RecordState
    version: int = Field(description="changes with every edit of the record")
    edition: int = Field(default=1, description="number of this version in its version chain")
    previous: str | None = Field(default=None, description="record_id of the version before")
    title: str
    description: str | None = None
    creators: list[Person] = Field(default_factory=list)
    publisher: str
    publication_date: date | None = None
    language: str | None = None
    keywords: list[str] = Field(default_factory=list)
    license: str | None = Field(default=None, description="license URI")
    access: Literal["open", "restricted", "closed"] = "open"
    url: str = Field(description="landing page")
    api_url: str
    files: list[RecordFile] = Field(default_factory=list)
    identifiers: Identifiers = Identifiers()
    plan: PlanLink | None = None


class _RecordFact(Fact):
    record: RecordSnapshot


class RecordReserved(_RecordFact):
    """A draft was opened for something a plan promises."""

    fact: ClassVar[str] = "repository.record.reserved.v1"


class RecordDiscarded(_RecordFact):
    """A reserved draft was thrown away before it was published; nothing will come of it."""

    fact: ClassVar[str] = "repository.record.discarded.v1"


class RecordPublished(_RecordFact):
    """A record is public and preserved; its files will not change."""

    fact: ClassVar[str] = "repository.record.published.v1"


class RecordUpdated(_RecordFact):
    """The metadata or identifiers of a published record changed; its files did not."""

    fact: ClassVar[str] = "repository.record.updated.v1"


class RecordWithdrawn(_RecordFact):
    """A published record was withdrawn; a tombstone stays."""

    fact: ClassVar[str] = "repository.record.withdrawn.v1"
    reason: str


class _FileFact(Fact):
    record_id: str
    plan: PlanLink | None = None
    file: str
    expected_sha256: str


class FileCorrupted(_FileFact):
    """The stored bytes of a file are not what was deposited; the observed checksum is absent when unread."""

    fact: ClassVar[str] = "repository.file.corrupted.v1"
    problem: Literal["changed", "missing", "unreadable"]
    observed_sha256: str | None = None


class FileRepaired(_FileFact):
    """A damaged file was restored and verified."""

    fact: ClassVar[str] = "repository.file.repaired.v1"
    source: str = Field(description="where the good copy came from")


class AnalysisFinished(Fact):
    """An analysis started from the repository ended."""

    fact: ClassVar[str] = "repository.analysis.finished.v1"
    record_id: str
    outcome: Literal["succeeded", "failed", "error"]
    inputs: list[str] = Field(default_factory=list, description="record ids")
    log_url: str | None = None
