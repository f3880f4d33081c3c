"""The capability tree: what the gateway can do, and one object per storage class.

Sources: CDMI 1.1.1, clause 12; Capabilities Selection Extension 1.1c, clause 12.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from indigo_qos_gateway.application.choosing import Chooser
from indigo_qos_gateway.domain.errors import CapabilitiesNotFound
from indigo_qos_gateway.domain.object_id import object_id_of
from indigo_qos_gateway.domain.storage import CAPABILITIES, Attribute, ObjectType, StorageClass
from indigo_qos_gateway.domain.wishes import ACTION, LIFETIME

_SYSTEM = ("cdmi_capabilities_templates", "cdmi_object_access_by_ID")
_OF_TYPE = {
    ObjectType.DATAOBJECT: (
        "cdmi_delete_dataobject",
        "cdmi_hold_id",
        "cdmi_modify_metadata",
        "cdmi_modify_value",
        "cdmi_modify_value_range",
        "cdmi_read_metadata",
        "cdmi_read_value",
        "cdmi_read_value_range",
        "cdmi_retention_period",
        "cdmi_size",
    ),
    ObjectType.CONTAINER: (
        "cdmi_copy_container",
        "cdmi_copy_dataobject",
        "cdmi_create_container",
        "cdmi_create_dataobject",
        "cdmi_delete_container",
        "cdmi_list_children",
        "cdmi_list_children_range",
        "cdmi_modify_metadata",
        "cdmi_move_container",
        "cdmi_move_dataobject",
        "cdmi_post_dataobject",
        "cdmi_read_metadata",
    ),
}


@dataclass(frozen=True, slots=True)
class Capability:
    """One node of the tree; ``uri`` has no slash at its end."""

    uri: str
    object_id: str
    capabilities: tuple[str, ...]
    children: tuple[str, ...] = ()
    metadata: Mapping[str, Attribute] = field(default_factory=dict)


def capability_at(chooser: Chooser, enterprise: int, path: str) -> Capability:
    """The node at a path without a slash at its end. Raises ``CapabilitiesNotFound``."""
    for each in capabilities(chooser, enterprise):
        if each.uri == path:
            return each
    raise CapabilitiesNotFound(path)


def capabilities(chooser: Chooser, enterprise: int) -> Iterator[Capability]:
    """Every node, the root first. Identifiers follow from the names: they are the same on every replica."""

    def identity(uri: str) -> str:
        return object_id_of(enterprise, uri)

    yield Capability(CAPABILITIES, identity(CAPABILITIES), _SYSTEM, tuple(sorted(ObjectType)))
    for object_type in sorted(ObjectType):
        classes = chooser.mounts.classes(object_type)
        uri = f"{CAPABILITIES}/{object_type}"
        yield Capability(uri, identity(uri), _OF_TYPE[object_type], tuple(classes))
        for each in classes.values():
            attributes = each.attributes | _lifetime(chooser, each)
            yield Capability(each.uri, identity(each.uri), tuple(sorted(attributes)), metadata=attributes)


def _lifetime(chooser: Chooser, storage_class: StorageClass) -> dict[str, Attribute]:
    """What the operator says about time in the class."""
    if storage_class.object_type is not ObjectType.DATAOBJECT:
        return {}
    lifetime = chooser.rules.lifetimes.get(storage_class.name)
    return {} if lifetime is None else {LIFETIME: lifetime.duration.text, ACTION: lifetime.action}
