"""What a storage says about itself and its objects. Everything here is observed, nothing is wished.

Sources: CDMI 1.1.1, clauses 12 (capabilities) and 16.4 (data system metadata, ``*_provided``); the INDIGO QoS
vocabulary; WLCG Tape REST (localities).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from indigo_contracts.qos import Locality

Attribute = str | list[str]
"""CDMI metadata are text or lists of text; numbers are written as text."""

CAPABILITIES = "/cdmi_capabilities"


class ObjectType(StrEnum):
    DATAOBJECT = "dataobject"
    CONTAINER = "container"


def class_uri(object_type: ObjectType, name: str) -> str:
    """The URI of a class, without a slash at its end."""
    return f"{CAPABILITIES}/{object_type}/{name}"


@dataclass(frozen=True, slots=True)
class StorageClass:
    """One quality a back-end offers. ``allowed`` are the classes one may go to from here.

    ``holder`` is the back-end that has it, and ``native`` its name there, where that is not the mount's own one.
    """

    name: str
    object_type: ObjectType
    metadata: Mapping[str, Attribute]
    allowed: tuple[str, ...]
    holder: str | None = None
    native: str | None = None

    @property
    def uri(self) -> str:
        return class_uri(self.object_type, self.name)

    @property
    def attributes(self) -> dict[str, Attribute]:
        """The metadata with ``cdmi_capabilities_allowed``, as the capability object shows them."""
        return {
            **self.metadata,
            "cdmi_capabilities_allowed": [class_uri(self.object_type, each) for each in self.allowed],
        }


DAMAGED = frozenset({Locality.LOST, Locality.NONE, Locality.UNAVAILABLE})
"""Of objects whose bytes are nowhere anybody can get them from."""


@dataclass(frozen=True, slots=True)
class Status:
    """One object or container as the storage was seen to hold it just now.

    ``sha256`` is what the storage has on record, not a fresh reading. ``recalling`` is true while the storage
    itself brings the bytes back from tape. ``provided`` has CDMI names without the suffix ``_provided``.
    """

    path: str
    object_type: ObjectType
    storage_class: str
    locality: Locality
    size: int
    modified: datetime
    sha256: str | None = None
    recalling: bool = False
    provided: Mapping[str, Attribute] = field(default_factory=dict)

    def at(self, path: str) -> Status:
        """The same, named by its path in the whole tree, which differs below a mount only."""
        return self if self.path == path else replace(self, path=path)

    @property
    def readable(self) -> bool:
        """Whether reading answers without a recall."""
        return self.locality in {Locality.DISK, Locality.DISK_AND_TAPE}

    @property
    def damaged(self) -> bool:
        """Whether nobody can get the bytes, with a recall or without."""
        return self.locality in DAMAGED


DEFAULT_CLASS = "cdmi_default_dataobject_capability_class"
"""What a container says about the class of new objects in it."""


def container_status(path: str, storage_class: str, modified: datetime) -> Status:
    """A container: it has no bytes of its own, and its class is that of new objects in it."""
    return Status(
        path=path,
        object_type=ObjectType.CONTAINER,
        storage_class=storage_class,
        locality=Locality.DISK,
        size=0,
        modified=modified,
        provided={DEFAULT_CLASS: storage_class},
    )


@dataclass(frozen=True, slots=True)
class Child:
    """One entry of a container."""

    name: str
    object_type: ObjectType


@dataclass(frozen=True, slots=True)
class Content:
    """What bytes there are: their number and SHA-256 in lower-case hexadecimal."""

    size: int
    sha256: str


class StepState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The back-end does not know the step: it was restarted. Start it again."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one object's change of class has come."""

    state: StepState
    error: str | None = None


@dataclass(frozen=True, slots=True)
class BackendHealth:
    """Whether a back-end can be used now. ``notes`` say what an operator should know about it."""

    usable: bool
    notes: tuple[str, ...] = ()
