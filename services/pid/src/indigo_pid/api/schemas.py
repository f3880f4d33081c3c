"""What comes in and goes out over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from indigo_contracts.pid import IdentifierState
from indigo_contracts.repository import PlanLink, RecordKind, RecordSnapshot
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from indigo_pid.domain.doi import Doi, DoiState, DoiStatus
from indigo_pid.domain.identifier import Identifier


class MintBody(BaseModel):
    """What an identifier is wanted for. With a target it resolves at once, without one it is reserved."""

    model_config = ConfigDict(extra="forbid")

    kind: RecordKind | None = None
    target: str | None = Field(
        default=None, description="http or https URL", examples=["https://data.example.org/42"]
    )
    metadata: dict[str, JsonValue] | None = Field(default=None, description="anything; at most 64 KiB")


class ChangeBody(BaseModel):
    """A merge patch (RFC 7396)."""

    model_config = ConfigDict(extra="forbid")

    target: str = Field(default="", description="http or https URL; it cannot be removed")
    metadata: dict[str, JsonValue] | None = None


class Tombstone(BaseModel):
    """Why and when something was declared gone."""

    model_config = ConfigDict(frozen=True)

    reason: str
    at: AwareDatetime


class IdentifierView(BaseModel):
    """An identifier. ``handle``, ``ark`` and ``doi`` name the same thing."""

    model_config = ConfigDict(frozen=True)

    handle: str
    ark: str
    doi: str | None
    resolver_url: str
    state: IdentifierState
    version: int
    kind: RecordKind | None
    target: str | None
    metadata: dict[str, Any] | None = Field(description="what the client brought")
    record_id: str | None
    plan: PlanLink | None
    record: RecordSnapshot | None = Field(description="the record it follows, as last heard, without its files")
    tombstone: Tombstone | None
    created_at: AwareDatetime
    updated_at: AwareDatetime

    @classmethod
    def of(cls, identifier: Identifier) -> Self:
        gone = identifier.state is IdentifierState.TOMBSTONED
        return cls(
            handle=identifier.handle,
            ark=identifier.ark,
            doi=identifier.doi,
            resolver_url=identifier.resolver_url,
            state=identifier.state,
            version=identifier.version,
            kind=identifier.kind,
            target=identifier.target,
            metadata=None if identifier.metadata is None else dict(identifier.metadata),
            record_id=identifier.record_id,
            plan=identifier.plan,
            record=identifier.record,
            tombstone=Tombstone(reason=identifier.reason or "", at=identifier.updated_at) if gone else None,
            created_at=identifier.created_at,
            updated_at=identifier.updated_at,
        )


class DoiView(BaseModel):
    """A registration: what is wanted of the registrar, what it was seen to have, and what stands between."""

    model_config = ConfigDict(frozen=True)

    doi: str
    handle: str
    record_id: str | None
    status: DoiStatus
    desired_state: DoiState
    observed_state: DoiState | None = Field(description="the state in the registrar's last answer")
    observed_at: AwareDatetime | None
    attempts: int = Field(description="tries without success since it was last changed")
    reason: str | None = Field(description="why the last try did not do")
    next_try_at: AwareDatetime | None
    revision: int
    attributes: dict[str, Any] = Field(description="the DataCite attributes that are wanted")

    @classmethod
    def of(cls, doi: Doi) -> Self:
        return cls(
            doi=doi.doi,
            handle=doi.handle,
            record_id=doi.record_id,
            status=doi.status,
            desired_state=doi.desired,
            observed_state=doi.observed_state,
            observed_at=doi.observed_at,
            attempts=doi.attempts,
            reason=doi.problem,
            next_try_at=doi.next_try_at,
            revision=doi.revision,
            attributes=dict(doi.attributes),
        )


class AdminValue(BaseModel):
    """Who administers a handle (Handle System, HS_ADMIN)."""

    model_config = ConfigDict(frozen=True)

    handle: str
    index: int
    permissions: str


class HandleData(BaseModel):
    model_config = ConfigDict(frozen=True)

    format: Literal["string", "admin"]
    value: str | AdminValue


class HandleValue(BaseModel):
    """One value of a handle record (RFC 3651, section 3.1)."""

    model_config = ConfigDict(frozen=True)

    index: int
    type: str
    data: HandleData
    ttl: int
    timestamp: str


class HandleRecord(BaseModel):
    """An answer of the Handle REST API. ``responseCode`` is 1 when found, 200 for no such values, 100 for no
    such handle, 102 for what is no handle.
    """

    model_config = ConfigDict(frozen=True)

    responseCode: int  # noqa: N815 - the name in the Handle REST API
    handle: str
    values: list[HandleValue] | None = None


def handle_instant(moment: datetime) -> str:
    """An instant as handle values carry it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
