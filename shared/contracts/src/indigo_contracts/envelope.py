"""The event on the wire: CloudEvents 1.0.2 in structured JSON.

Sources: CloudEvents 1.0.2 (core, JSON format), its correlation, sequence,
distributed-tracing and dataref extensions.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

TYPE_PREFIX = "eu.indigo-datacloud."
"""Reverse-DNS prefix of every event type; the routing key is the type without it."""

CONTENT_TYPE = "application/cloudevents+json"


class Actor(BaseModel):
    """Who caused a fact: the OIDC issuer and subject, never a token."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    iss: str
    sub: str


class Fact(BaseModel):
    """Base of every event payload: something that happened, with a snapshot of the result.

    Within one major version only optional fields may be added. Readers ignore
    fields they do not know.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    fact: ClassVar[str]
    """Name without the prefix, for example ``dmp.plan.published.v1``; it is also the routing key."""

    actor: Actor | None = None

    @classmethod
    def event_type(cls) -> str:
        return TYPE_PREFIX + cls.fact


class Envelope(BaseModel):
    """A CloudEvent. Identity is ``source`` + ``id``; order inside a subject is ``sequence``."""

    model_config = ConfigDict(frozen=True, extra="allow")

    specversion: str = "1.0"
    id: str = Field(min_length=1, description="uuid7")
    source: str = Field(min_length=1, description="URL of the service that states the fact")
    type: str = Field(min_length=1, examples=["eu.indigo-datacloud.dmp.plan.published.v1"])
    subject: str = Field(min_length=1, examples=["plans/0199..."])
    time: AwareDatetime
    datacontenttype: str = "application/json"
    dataschema: str | None = None
    sequence: str = Field(default="0" * 20, description="aggregate version, zero-padded to 20 digits")
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None
    partitionkey: str | None = None
    dataref: str | None = Field(default=None, description="claim check: where data over 64 KiB is read")
    data: dict[str, Any] | None = None

    @property
    def fact(self) -> str:
        """The type without the prefix: the name in the registry."""
        return self.type.removeprefix(TYPE_PREFIX)

    @property
    def version(self) -> int:
        """The aggregate version as a number."""
        return int(self.sequence)

    def wire(self) -> bytes:
        """Structured-mode JSON; attributes that are absent are left out (CloudEvents JSON format, 3.1)."""
        return self.model_dump_json(exclude_none=True).encode()

    @classmethod
    def of(
        cls,
        fact: Fact,
        *,
        id: str,  # noqa: A002 - the attribute's name in the standard
        source: str,
        subject: str,
        version: int,
        time: datetime,
        correlationid: str | None = None,
        causationid: str | None = None,
        traceparent: str | None = None,
    ) -> Envelope:
        """Wrap a payload. ``version`` is the aggregate's version after the fact."""
        return cls(
            id=id,
            source=source,
            type=fact.event_type(),
            subject=subject,
            time=time,
            dataschema=f"{source.rstrip('/')}/schemas/{fact.fact}.json",
            sequence=f"{version:020d}",
            correlationid=correlationid,
            causationid=causationid,
            traceparent=traceparent,
            partitionkey=subject,
            data=fact.model_dump(mode="json", exclude_none=True),
        )
