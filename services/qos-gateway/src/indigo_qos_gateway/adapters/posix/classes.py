"""The three classes of a disk with a tape tier behind it, as INDIGO's StoRM plug-in named them."""

from __future__ import annotations

from dataclasses import dataclass

from indigo_qos_gateway.domain.storage import Attribute, ObjectType, StorageClass

DISK_ONLY = "DiskOnly"
DISK_AND_TAPE = "DiskAndTape"
TAPE_ONLY = "TapeOnly"
NAMES = (DISK_ONLY, DISK_AND_TAPE, TAPE_ONLY)

_COPIES = {DISK_ONLY: "1", DISK_AND_TAPE: "2", TAPE_ONLY: "1"}
_LATENCY_MS = {DISK_ONLY: "10", DISK_AND_TAPE: "10", TAPE_ONLY: "60000"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the storage is: name of the site, and country as ISO 3166-1 alpha-2."""

    site: str | None = None
    country: str | None = None


def attributes(name: str, place: Place) -> dict[str, Attribute]:
    """CDMI data system metadata of a class; ``cdmi_latency`` is milliseconds to the first byte."""
    known: dict[str, Attribute] = {
        "cdmi_data_redundancy": _COPIES[name],
        "cdmi_latency": _LATENCY_MS[name],
    }
    if place.country is not None:
        known["cdmi_geographic_placement"] = [place.country]
    return known


def offered(place: Place) -> list[StorageClass]:
    """Every class for data objects and for containers; one may go from each to each."""
    return [
        StorageClass(
            name=name,
            object_type=object_type,
            metadata=attributes(name, place)
            | ({"cdmi_default_dataobject_capability_class": name} if object_type is ObjectType.CONTAINER else {}),
            allowed=tuple(other for other in NAMES if other != name),
        )
        for object_type in ObjectType
        for name in NAMES
    ]
