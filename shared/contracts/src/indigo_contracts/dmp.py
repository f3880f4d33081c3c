"""Plans, what they promise, and the facts the plan service states about them.

A plan document is a maDMP (RDA DMP Common Standard 1.2). What the standard has no word for, the
structure of a dataset, its taxa, the promised storage and the tests, stands in the extension object
``dataset[].indigo`` (``OutputExtension``); plain maDMP readers ignore it.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from indigo_contracts.envelope import Fact
from indigo_contracts.structure import Structure, Taxon, Written
from indigo_contracts.text import Key, RelativePath


class OutputKind(StrEnum):
    DATASET = "dataset"
    SOFTWARE = "software"


class StoragePromise(Written):
    """The storage quality that is promised."""

    storage_class: str = Field(min_length=1, max_length=64, examples=["DiskOnly", "DiskAndTape", "TapeOnly"])
    site: str | None = None
    network: str | None = None
    storage_type: str | None = Field(default=None, examples=["POSIX", "Ceph", "dCache", "GPFS", "StoRM", "HPSS"])


# --- tests ----------------------------------------------------------------------------------------


class TestLevel(StrEnum):
    """What a test looks at, from the cheapest to the dearest."""

    __test__ = False  # not a pytest class

    EXISTENCE = "existence"
    METADATA = "metadata"
    CONTENT = "content"
    PROCESSING = "processing"


class _Test(Written):
    key: Key
    title: str | None = None


class ExistenceTest(_Test):
    """The record is there, every file is, and the bytes read from storage have the recorded checksums."""

    level: Literal[TestLevel.EXISTENCE] = TestLevel.EXISTENCE
    files: list[RelativePath] = Field(
        default_factory=list, description="files that must be there, besides those of the record"
    )
    min_bytes: int | None = Field(default=None, ge=0)


class MetadataTest(_Test):
    """The record says what the plan says: title, license, access, formats, creators, language, keywords."""

    level: Literal[TestLevel.METADATA] = TestLevel.METADATA
    properties: list[Literal["title", "license", "access", "format", "creators", "language", "keywords"]] = Field(
        default_factory=lambda: ["title", "license", "access", "format"]  # type: ignore[arg-type]
    )


class ContentTest(_Test):
    """The tables have the structure the plan gives them."""

    level: Literal[TestLevel.CONTENT] = TestLevel.CONTENT
    tables: list[Key] = Field(default_factory=list, description="tables of the structure; all when empty")


class ExpectedOutput(Written):
    """What a processing run must produce.

    ``digest`` compares sha256; ``csv`` and ``json`` compare values, numbers within
    ``|a - b| <= atol + rtol * |expected|``. The expectation is ``sha256``, or the file ``reference``
    of the dataset's record (of the software's record when it is not there).
    """

    path: RelativePath
    compare: Literal["digest", "csv", "json", "exists"] = "digest"
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    reference: RelativePath | None = None
    key: list[str] = Field(
        default_factory=list, description="columns that identify a row; row order counts when empty"
    )
    ignore: list[str] = Field(default_factory=list, description="columns or JSON members left out")
    rtol: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    atol: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _expectation(self) -> ExpectedOutput:
        if self.compare == "digest" and not (self.sha256 or self.reference):
            raise ValueError("a digest comparison needs sha256 or reference")
        if self.compare in {"csv", "json"} and not self.reference:
            raise ValueError(f"a {self.compare} comparison needs reference")
        return self


class Limits(Written):
    """What a processing run may use."""

    wall_seconds: int = Field(default=120, ge=1, le=86_400)
    cpu_seconds: int = Field(default=60, ge=1, le=86_400)
    memory_mb: int = Field(default=1024, ge=16, le=262_144)
    disk_mb: int = Field(default=512, ge=1, le=1_048_576)
    processes: int = Field(default=64, ge=1, le=4096)


class ProcessingTest(_Test):
    """The software runs on the dataset and reproduces the outputs.

    The dataset's files are at ``/input``, the software's at ``/software`` (both read-only), the working
    directory is the empty ``/output``. No network. ``command`` is an argument list, never a shell line.
    """

    level: Literal[TestLevel.PROCESSING] = TestLevel.PROCESSING
    software: Key = Field(description="key of a software output of the same plan")
    command: list[Annotated[str, StringConstraints(min_length=1, max_length=4096)]] = Field(
        min_length=1, max_length=64
    )
    outputs: list[ExpectedOutput] = Field(min_length=1, max_length=1000)
    limits: Limits = Limits()


TestDefinition = Annotated[
    ExistenceTest | MetadataTest | ContentTest | ProcessingTest, Field(discriminator="level")
]


class OutputExtension(Written):
    """``dataset[].indigo`` of a plan document."""

    key: Key | None = Field(default=None, description="stable name of the output; made from the title when absent")
    kind: OutputKind | None = Field(default=None, description="dataset unless maDMP type says software")
    structure: Structure | None = None
    taxa: list[Taxon] = Field(default_factory=list)
    storage: StoragePromise | None = None
    tests: list[TestDefinition] = Field(default_factory=list, max_length=200)

    @model_validator(mode="after")
    def _tests(self) -> OutputExtension:
        keys = [test.key for test in self.tests]
        if len(set(keys)) != len(keys):
            raise ValueError("two tests have the same key")
        tables = {table.name for table in self.structure.tables} if self.structure else set()
        for test in self.tests:
            if isinstance(test, ContentTest):
                if not tables:
                    raise ValueError(f"test {test.key!r} is of level content, but the output has no structure")
                if unknown := set(test.tables) - tables:
                    raise ValueError(f"test {test.key!r} names unknown tables: {', '.join(sorted(unknown))}")
        return self


# --- snapshots ------------------------------------------------------------------------------------


class Person(BaseModel):
    """Someone named in a plan or a record. Identifiers are URIs where a scheme has them (ORCID, ROR)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    identifier: str | None = None
    email: str | None = None
    roles: list[str] = Field(default_factory=list)
    affiliation: str | None = None


class PlannedOutput(BaseModel):
    """One promised dataset or software, read out of the plan document."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: Key
    kind: OutputKind
    title: str
    description: str | None = None
    language: str | None = None
    keywords: list[str] = Field(default_factory=list)
    creators: list[Person] = Field(default_factory=list)
    license: str | None = Field(default=None, description="license URI of the first distribution")
    access: Literal["open", "restricted", "closed"] = "open"
    formats: list[str] = Field(default_factory=list, description="media types of the distributions")
    byte_size: int | None = None
    due: date | None = Field(default=None, description="maDMP issued: when it is to be published")
    structure: Structure | None = None
    taxa: list[Taxon] = Field(default_factory=list)
    storage: StoragePromise | None = None
    tests: list[TestDefinition] = Field(default_factory=list)


class PlanState(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class PlanSnapshot(BaseModel):
    """A plan as others may see it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    plan_id: str
    version: int = Field(description="changes with every edit")
    edition: int = Field(description="number of publications so far: 1 for the first published edition")
    state: PlanState
    title: str
    description: str | None = None
    language: str | None = None
    contact: Person
    contributors: list[Person] = Field(default_factory=list)
    created: AwareDatetime
    modified: AwareDatetime
    published_at: AwareDatetime | None = None
    url: str = Field(description="the plan's page")
    outputs: list[PlannedOutput]
    madmp: dict[str, Any] = Field(description="the whole document: {'dmp': {...}}")


class PromiseKind(StrEnum):
    """What a promise is about."""

    RECORD = "record"
    IDENTIFIER = "identifier"
    STORAGE = "storage"
    TEST = "test"


class PromiseState(StrEnum):
    PLANNED = "planned"
    DUE = "due"
    KEPT = "kept"
    BROKEN = "broken"


class Evidence(BaseModel):
    """Why a promise is in its state: the event that says so and what it said."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_id: str
    fact: str
    at: AwareDatetime
    summary: str
    details: dict[str, Any] = Field(default_factory=dict)


class PromiseSnapshot(BaseModel):
    """One line of the ledger."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    promise_id: str
    plan_id: str
    output: Key | None = Field(default=None, description="key of the output; absent when the plan itself is meant")
    kind: PromiseKind
    test: Key | None = None
    level: TestLevel | None = None
    title: str
    state: PromiseState
    due: date | None = None
    evidence: Evidence | None = None


class _DraftFact(Fact):
    """Drafts are private: only that they exist and changed is told."""

    plan_id: str
    version: int


class PlanCreated(_DraftFact):
    """A plan was begun."""

    fact: ClassVar[str] = "dmp.plan.created.v1"


class PlanUpdated(_DraftFact):
    """A plan was edited."""

    fact: ClassVar[str] = "dmp.plan.updated.v1"


class _PlanFact(Fact):
    plan: PlanSnapshot


class PlanPublished(_PlanFact):
    """A plan, or a further edition of it, was published; its promises count from now."""

    fact: ClassVar[str] = "dmp.plan.published.v1"


class PlanWithdrawn(_PlanFact):
    """A published plan was withdrawn; its identifiers lead to a tombstone."""

    fact: ClassVar[str] = "dmp.plan.withdrawn.v1"
    reason: str


class _PromiseFact(Fact):
    promise: PromiseSnapshot


class PromiseKept(_PromiseFact):
    """Evidence shows that a promise is kept."""

    fact: ClassVar[str] = "dmp.promise.kept.v1"


class PromiseBroken(_PromiseFact):
    """Evidence shows that a promise is broken."""

    fact: ClassVar[str] = "dmp.promise.broken.v1"
