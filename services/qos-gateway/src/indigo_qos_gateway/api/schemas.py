"""What CDMI clients and the gateway send each other. Absent fields were not asked for.

Source: CDMI 1.1.1, clauses 8 (data objects), 9 (containers), 12 (capabilities).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from indigo_contracts.qos import TransitionSnapshot
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from indigo_qos_gateway.domain.values import MEDIA_TYPE, MOST_TYPE_CHARACTERS

MimeType = Annotated[str, StringConstraints(pattern=MEDIA_TYPE, max_length=MOST_TYPE_CHARACTERS)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)

    objectType: str | None = None  # noqa: N815 - names of the standard
    objectID: str | None = None  # noqa: N815
    objectName: str | None = None  # noqa: N815
    parentURI: str | None = None  # noqa: N815
    parentID: str | None = None  # noqa: N815
    metadata: dict[str, Any] | None = None


class CdmiObject(_Answer):
    """A data object. ``value`` is base64 when a range of it was asked for; a new reference has ``reference``."""

    domainURI: str | None = None  # noqa: N815
    reference: str | None = None
    capabilitiesURI: str | None = None  # noqa: N815
    completionStatus: str | None = None  # noqa: N815
    mimetype: str | None = None
    valuetransferencoding: Literal["utf-8", "base64"] | None = None
    valuerange: str | None = None
    value: str | None = None


class CdmiContainer(_Answer):
    """A container. Names of containers in ``children`` end in a slash unless INDIGO's dialect is spoken, those of
    references in ``?``.
    """

    domainURI: str | None = None  # noqa: N815
    capabilitiesURI: str | None = None  # noqa: N815
    completionStatus: str | None = None  # noqa: N815
    percentComplete: str | None = None  # noqa: N815
    childrenrange: str | None = None
    children: list[str] | None = None


class CdmiCapability(_Answer):
    """What can be done with a kind of object; for a storage class, ``metadata`` tells its quality."""

    capabilities: dict[str, str] | None = None
    childrenrange: str | None = None
    children: list[str] | None = None


class CdmiQueue(_Answer):
    """A queue: the numbers of its values, and of those that were asked for type, range, encoding and value."""

    domainURI: str | None = None  # noqa: N815
    capabilitiesURI: str | None = None  # noqa: N815
    completionStatus: str | None = None  # noqa: N815
    queueValues: str | None = None  # noqa: N815
    mimetype: list[str] | None = None
    valuerange: list[str] | None = None
    valuetransferencoding: list[Literal["utf-8", "base64"]] | None = None
    value: list[str] | None = None


class CdmiDomain(_Answer):
    """A domain, its members or its summary."""

    domainURI: str | None = None  # noqa: N815
    capabilitiesURI: str | None = None  # noqa: N815
    childrenrange: str | None = None
    children: list[str] | None = None


Uri = Annotated[str, StringConstraints(min_length=1, max_length=1200)]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class CdmiWrite(BaseModel):
    """What a client may say of an object or a container. Fields this gateway does not act on are refused."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    mimetype: MimeType | None = None
    metadata: dict[str, Any] | None = None
    domainURI: Uri | None = None  # noqa: N815
    valuetransferencoding: Literal["utf-8", "base64"] | None = None
    value: str | None = None
    capabilitiesURI: str | None = Field(default=None, max_length=1024)  # noqa: N815
    copy_from: Uri | None = Field(default=None, alias="copy")
    move_from: Uri | None = Field(default=None, alias="move")
    reference: Reference | None = None
    serialize: Uri | None = None
    deserialize: Uri | None = None
    deserializevalue: str | None = None

    def sources(self) -> list[str]:
        """Names of the fields given that each make an object of their own."""
        names = ("copy_from", "move_from", "reference", "serialize", "deserialize", "deserializevalue", "value")
        return [name.removesuffix("_from") for name in names if getattr(self, name) is not None]


class CdmiQueueWrite(BaseModel):
    """What a client may say of a queue; ``copy`` and ``move`` name another one, with a range of its values."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    metadata: dict[str, Any] | None = None
    domainURI: Uri | None = None  # noqa: N815
    copy_from: Uri | None = Field(default=None, alias="copy")
    move_from: Uri | None = Field(default=None, alias="move")
    reference: Reference | None = None
    deserialize: Uri | None = None
    deserializevalue: str | None = None

    def sources(self) -> list[str]:
        """Names of the fields given that each make a queue of their own."""
        names = ("copy_from", "move_from", "reference", "deserialize", "deserializevalue")
        return [name.removesuffix("_from") for name in names if getattr(self, name) is not None]


class CdmiEnqueue(BaseModel):
    """Values for a queue: one, or several as lists of the same length. Or where they come from."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    mimetype: MimeType | list[MimeType] | None = None
    valuetransferencoding: Literal["utf-8", "base64"] | list[Literal["utf-8", "base64"]] | None = None
    value: str | list[str] | None = None
    copy_from: Uri | None = Field(default=None, alias="copy")
    move_from: Uri | None = Field(default=None, alias="move")


class CdmiDomainWrite(BaseModel):
    """What a client may say of a domain or of one of its members."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    metadata: dict[str, Any] = Field(default_factory=dict)


UNSUPPORTED = ("exports", "snapshot")
"""Fields of the standard that would need something the capability objects do not offer."""


class TransitionProgress(TransitionSnapshot):
    """A transition with its progress; ``bytes_total`` is null until its objects were looked at."""

    bytes_done: int
    bytes_total: int | None


class TransitionRequest(BaseModel):
    """A wish for another storage class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1, max_length=1200, description="object or container, such as `/records/<id>/`")
    target_class: str | None = Field(
        default=None, min_length=1, max_length=64, examples=["DiskOnly", "DiskAndTape", "TapeOnly"]
    )
    expression: str | None = Field(
        default=None,
        min_length=1,
        max_length=2000,
        description="in the place of `target_class`: the cheapest class that fulfils it",
        examples=["country=ES & type=disk | latency<8"],
    )


class BackendClass(BaseModel):
    """One storage class of a back-end."""

    model_config = ConfigDict(frozen=True)

    name: str
    object_type: str
    capabilities_uri: str
    metadata: dict[str, Any]


class BackendState(BaseModel):
    """One mounted back-end and how it is."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: str
    site: str | None
    mount: str
    usable: bool
    notes: list[str]
    classes: list[BackendClass]
