"""What comes in and goes out over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from indigo_contracts.envelope import Actor
from indigo_contracts.pid import IdentifierState
from indigo_contracts.repository import PlanLink, RecordKind, RecordSnapshot
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from indigo_pid.application.drift import Difference, DriftReport
from indigo_pid.application.identifiers import MintRequest
from indigo_pid.domain.doi import Doi, DoiState, DoiStatus
from indigo_pid.domain.history import Change, Entry, clock_doubts, first_break
from indigo_pid.domain.identifier import Identifier

MAX_BULK = 10_000
"""Identifiers in one request."""


class MintBody(BaseModel):
    """What an identifier is wanted for. With a target it resolves at once, without one it is reserved."""

    model_config = ConfigDict(extra="forbid")

    kind: RecordKind | None = None
    target: str | None = Field(
        default=None, description="http or https URL", examples=["https://data.example.org/42"]
    )
    metadata: dict[str, JsonValue] | None = Field(default=None, description="anything; at most 64 KiB")
    prefix: str | None = Field(
        default=None,
        max_length=100,
        description="another handle prefix than the usual one; the name has no ARK then",
    )
    suffix: str | None = Field(
        default=None,
        description="a name of your own instead of a random one; it has no ARK and no check character",
    )

    def request(self) -> MintRequest:
        return MintRequest(self.kind, self.target, self.metadata, self.prefix, self.suffix)


class BulkBody(BaseModel):
    """Many at once: ``count`` reserved ones, or what each of ``items`` asks for."""

    model_config = ConfigDict(extra="forbid")

    count: int | None = Field(default=None, ge=1, le=MAX_BULK)
    kind: RecordKind | None = Field(default=None, description="with `count`: the kind of all")
    prefix: str | None = Field(default=None, max_length=100, description="with `count`: the prefix of all")
    items: list[MintBody] | None = Field(default=None, min_length=1, max_length=MAX_BULK)

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.count is None) == (self.items is None):
            raise ValueError("Give either count or items")
        if self.items is not None and not (self.kind is None and self.prefix is None):
            raise ValueError("With items, each item has its own kind and prefix")
        return self

    def requests(self) -> list[MintRequest]:
        if self.items is not None:
            return [item.request() for item in self.items]
        assert self.count is not None, "validated"
        return [MintRequest(kind=self.kind, prefix=self.prefix)] * self.count


class ChangeBody(BaseModel):
    """A merge patch (RFC 7396)."""

    model_config = ConfigDict(extra="forbid")

    target: str = Field(default="", description="http or https URL; it cannot be removed")
    metadata: dict[str, JsonValue] | None = None


class Tombstone(BaseModel):
    """Why and when something was declared gone."""

    model_config = ConfigDict(frozen=True)

    reason: str
    citation: str | None = Field(description="how to cite what is gone")
    replacement: str | None = Field(description="the handle or the URL of what took its place")
    at: AwareDatetime


class ReservedView(BaseModel):
    """One of many new identifiers."""

    model_config = ConfigDict(frozen=True)

    handle: str
    ark: str | None
    resolver_url: str
    state: IdentifierState
    version: int

    @classmethod
    def of(cls, identifier: Identifier) -> Self:
        return cls(
            handle=identifier.handle,
            ark=identifier.ark,
            resolver_url=identifier.resolver_url,
            state=identifier.state,
            version=identifier.version,
        )


class BulkView(BaseModel):
    """The new identifiers, in the order they were asked for."""

    model_config = ConfigDict(frozen=True)

    items: list[ReservedView]


class HistoryEntryView(BaseModel):
    """A change. ``hash`` is the SHA-256, in hexadecimal digits, of ``content``."""

    model_config = ConfigDict(frozen=True)

    version: int
    change: Change
    at: AwareDatetime
    content: str = Field(description="canonical JSON (RFC 8785); its `previous` is the hash of the entry before")
    hash: str
    actor: Actor | None = Field(description="who changed it; shown to operators")


class HistoryView(BaseModel):
    """The history of an identifier, oldest first. Check it entry by entry: ``hash`` is made of ``content``, and
    ``previous`` in it is the ``hash`` of the entry before, or 64 zeros in the first one.
    """

    model_config = ConfigDict(frozen=True)

    handle: str
    head: str = Field(description="the hash of the last entry, as the identifier itself remembers it")
    broken: str | None = Field(description="what does not fit; null when the chain holds")
    doubts: list[str] = Field(description="times that cannot be right: the clock of then was wrong")
    entries: list[HistoryEntryView]

    @classmethod
    def of(cls, identifier: Identifier, entries: Sequence[Entry], *, now: datetime, actors: bool) -> Self:
        return cls(
            handle=identifier.handle,
            head=identifier.head,
            broken=first_break(entries, identifier),
            doubts=clock_doubts(entries, now=now),
            entries=[
                HistoryEntryView(
                    version=entry.version,
                    change=Change(entry.claims["change"]),
                    at=entry.claims["at"],
                    content=entry.content,
                    hash=entry.hash,
                    actor=Actor(iss=entry.actor.iss, sub=entry.actor.sub) if actors and entry.actor else None,
                )
                for entry in entries
            ],
        )


class IdentifierView(BaseModel):
    """An identifier. ``handle``, ``ark`` and ``doi`` name the same thing."""

    model_config = ConfigDict(frozen=True)

    handle: str
    ark: str | None
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
    unused: str | None = Field(description="why it will stay reserved for good; null while it may still be used")
    concept: str | None = Field(description="the handle that stands for all versions and leads to the newest")
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
            tombstone=_tombstone(identifier) if gone else None,
            unused=identifier.reason if identifier.is_unused else None,
            concept=identifier.concept,
            created_at=identifier.created_at,
            updated_at=identifier.updated_at,
        )


def _tombstone(identifier: Identifier) -> Tombstone:
    return Tombstone(
        reason=identifier.reason or "",
        citation=identifier.citation,
        replacement=identifier.replacement,
        at=identifier.updated_at,
    )


class DoiView(BaseModel):
    """A registration: what is wanted of the registrar, what it was seen to have, and what stands between."""

    model_config = ConfigDict(frozen=True)

    doi: str
    handle: str
    record_id: str | None
    registrar: str | None = Field(description="the registrar of its prefix; none when none is set (any more)")
    status: DoiStatus
    desired_state: DoiState
    observed_state: DoiState | None = Field(description="the state in the registrar's last answer")
    observed_at: AwareDatetime | None
    attempts: int = Field(description="tries without success since it was last changed")
    reason: str | None = Field(description="why the last try did not do")
    note: str | None = Field(description="what the registrar did otherwise than it was wanted, or warned of")
    next_try_at: AwareDatetime | None
    revision: int
    attributes: dict[str, Any] = Field(description="the DataCite attributes that are wanted")

    @classmethod
    def of(cls, doi: Doi, registrar: str | None) -> Self:
        return cls(
            doi=doi.doi,
            handle=doi.handle,
            record_id=doi.record_id,
            registrar=registrar,
            status=doi.status,
            desired_state=doi.desired,
            observed_state=doi.observed_state,
            observed_at=doi.observed_at,
            attempts=doi.attempts,
            reason=doi.problem,
            note=doi.note,
            next_try_at=doi.next_try_at,
            revision=doi.revision,
            attributes=dict(doi.attributes),
        )


class DriftItem(BaseModel):
    """One difference between what is wanted and what a registrar lists."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    doi: str
    registrar: str
    difference: Difference
    wanted: str | None
    found: str | None


class DriftView(BaseModel):
    """What the registrars list, held against what is wanted."""

    model_config = ConfigDict(frozen=True)

    remote: int = Field(description="DOIs the registrars list")
    compared: int = Field(description="of these, registrations that are done here")
    in_progress: int = Field(description="of these, registrations that are not done here")
    complete: bool = Field(description="false when a registrar has more than was read, or could not be asked")
    unreachable: dict[str, str] = Field(description="registrars that could not be asked, and why")
    counts: dict[Difference, int]
    items: list[DriftItem] = Field(description="the first 1000 differences")

    @classmethod
    def of(cls, report: DriftReport) -> Self:
        return cls(
            remote=report.remote,
            compared=report.compared,
            in_progress=report.in_progress,
            complete=report.complete,
            unreachable=report.unreachable,
            counts=report.counts,
            items=[DriftItem.model_validate(one) for one in report.told],
        )


class HandleData(BaseModel):
    """The data of a value: text, or an object for the formats ``admin``, ``vlist``, ``site`` and ``key``."""

    model_config = ConfigDict(frozen=True)

    format: str
    value: JsonValue


class HandleValue(BaseModel):
    """One value of a handle record (RFC 3651, section 3.1)."""

    model_config = ConfigDict(frozen=True)

    index: int
    type: str
    data: HandleData
    ttl: int
    timestamp: str


class HandleRecord(BaseModel):
    """An answer of the Handle REST API. ``responseCode`` is 1 for success, 100 for no such handle, 101 for one
    that exists, 102 for what is no handle, 200 for no such values, 201 for a value that exists, 202 for what is
    no value, 301 for a prefix of elsewhere, 401 for somebody else's, 402 for no credentials.
    """

    model_config = ConfigDict(frozen=True)

    responseCode: int  # noqa: N815 - the name in the Handle REST API
    handle: str
    message: str | None = None
    values: list[HandleValue] | None = None


class HandleList(BaseModel):
    """Some of the handles under a prefix."""

    model_config = ConfigDict(frozen=True)

    responseCode: int  # noqa: N815 - the name in the Handle REST API
    prefix: str
    totalCount: int  # noqa: N815
    page: int
    pageSize: int  # noqa: N815
    handles: list[str]
