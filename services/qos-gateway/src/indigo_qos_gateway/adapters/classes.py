"""The classes of a disk with a tape tier behind it, with the names of INDIGO's StoRM plug-in, and their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from indigo_qos_gateway.domain.storage import DEFAULT_CLASS, Attribute, ObjectType, StorageClass

DISK_ONLY = "DiskOnly"
DISK_AND_TAPE = "DiskAndTape"
TAPE_ONLY = "TapeOnly"
NAMES = (DISK_ONLY, DISK_AND_TAPE, TAPE_ONLY)

UNKNOWN = "unknown"
"""The class of an object whose storage says something about it that nobody can read."""

_COPIES = {DISK_ONLY: "1", DISK_AND_TAPE: "2", TAPE_ONLY: "1"}
_LATENCY_MS = {DISK_ONLY: "10", DISK_AND_TAPE: "10", TAPE_ONLY: "60000"}

Ways = Mapping[str, Sequence[str]]
"""The classes one may go to, by the class one comes from."""

EVERY_WAY: Ways = {name: tuple(other for other in NAMES if other != name) for name in NAMES}


TAPE_IS_KEPT: Ways = {
    DISK_ONLY: (DISK_AND_TAPE, TAPE_ONLY),
    DISK_AND_TAPE: (TAPE_ONLY,),
    TAPE_ONLY: (DISK_AND_TAPE,),
}
"""Those of tape systems: a copy on tape is never given up."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the storage is: name of the site, and country as ISO 3166-1 alpha-2."""

    site: str | None = None
    country: str | None = None

    def attributes(self) -> dict[str, Attribute]:
        return {} if self.country is None else {"cdmi_geographic_placement": [self.country]}


def attributes(name: str, place: Place) -> dict[str, Attribute]:
    """CDMI data system metadata of a class; ``cdmi_latency`` is milliseconds to the first byte."""
    known: dict[str, Attribute] = {
        "cdmi_data_redundancy": _COPIES[name],
        "cdmi_latency": _LATENCY_MS[name],
    }
    return known | place.attributes()


def offered(place: Place, ways: Ways = EVERY_WAY) -> list[StorageClass]:
    """The three classes for data objects and for containers. A container's class is a note: it may be any."""
    return classes({name: attributes(name, place) for name in NAMES}, ways)


def interchangeable(known: Mapping[str, Mapping[str, Attribute]], place: Place) -> list[StorageClass]:
    """Classes at one place, of which each can become each other one."""
    here = {name: {**attributes, **place.attributes()} for name, attributes in known.items()}
    return classes(here, {name: [other for other in here if other != name] for name in here})


def classes(known: Mapping[str, Mapping[str, Attribute]], ways: Ways) -> list[StorageClass]:
    """Classes for data objects, with these ways between them, and the same for containers with every way."""
    return [
        StorageClass(
            name=name,
            object_type=object_type,
            metadata=dict(metadata) | ({DEFAULT_CLASS: name} if object_type is ObjectType.CONTAINER else {}),
            allowed=(
                tuple(ways.get(name, ()))
                if object_type is ObjectType.DATAOBJECT
                else tuple(other for other in known if other != name)
            ),
        )
        for object_type in ObjectType
        for name, metadata in known.items()
    ]
