"""Test runs, what they found, and the facts stated about them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from indigo_contracts.dmp import TestLevel
from indigo_contracts.envelope import Fact
from indigo_contracts.repository import PlanLink
from indigo_contracts.text import Key


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Verdict(StrEnum):
    """How a test came out (EARL: passed, failed, cantTell, inapplicable, untested).

    ``error`` is trouble of the infrastructure: the test said nothing about its object.
    """

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INDETERMINATE = "indeterminate"
    NOT_APPLICABLE = "not-applicable"
    ERROR = "error"


class Finding(BaseModel):
    """One thing a test saw. ``code`` is permanent; ``location`` names file, row, column, property."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    severity: Literal["error", "warning", "info"]
    message: str
    location: dict[str, str | int] = Field(default_factory=dict)
    expected: Any = None
    observed: Any = None
    count: int = 1


class RunSnapshot(BaseModel):
    """A test run as others may see it; ``findings`` holds the first twenty, ``report_url`` has all."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run_id: str
    test: Key
    level: TestLevel
    title: str
    record_id: str
    plan: PlanLink | None = None
    trigger: Literal["published", "schedule", "demand"]
    state: RunState
    verdict: Verdict | None = None
    summary: str | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    findings: list[Finding] = Field(default_factory=list)
    evidence: dict[str, Any] = Field(default_factory=dict)
    requested_at: AwareDatetime
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    report_url: str


class _RunFact(Fact):
    run: RunSnapshot


class RunRequested(_RunFact):
    """A test run is queued."""

    fact: ClassVar[str] = "integrity.run.requested.v1"


class RunStarted(_RunFact):
    """A worker began a test run."""

    fact: ClassVar[str] = "integrity.run.started.v1"


class RunFinished(_RunFact):
    """A test run has a verdict."""

    fact: ClassVar[str] = "integrity.run.finished.v1"


class DamagedFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    file: str
    problem: Literal["changed", "missing", "unreadable"]
    expected_sha256: str
    observed_sha256: str | None = None


class FixityFailed(Fact):
    """Bytes read back from storage are not what was deposited."""

    fact: ClassVar[str] = "integrity.fixity.failed.v1"
    run_id: str
    record_id: str
    plan: PlanLink | None = None
    files: list[DamagedFile]
    checked_at: AwareDatetime


class _CertificateFact(Fact):
    certificate_id: str
    record_id: str
    plan: PlanLink | None = None
    url: str


class CertificateIssued(_CertificateFact):
    """Every required test of a record passed; a signed statement says so."""

    fact: ClassVar[str] = "integrity.certificate.issued.v1"
    valid_until: AwareDatetime


class CertificateRevoked(_CertificateFact):
    """A later run contradicts a certificate."""

    fact: ClassVar[str] = "integrity.certificate.revoked.v1"
    reason: str
