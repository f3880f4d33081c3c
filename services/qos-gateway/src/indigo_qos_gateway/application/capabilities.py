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

_SYSTEM = (
    "cdmi_capabilities_templates",
    "cdmi_create_reference_by_ID",
    "cdmi_create_value_range_by_ID",
    "cdmi_deserialize_dataobject_by_ID",
    "cdmi_deserialize_queue_by_ID",
    "cdmi_domains",
    "cdmi_multipart_mime",
    "cdmi_notification",
    "cdmi_object_access_by_ID",
    "cdmi_post_dataobject_by_ID",
    "cdmi_post_queue_by_ID",
    "cdmi_query",
    "cdmi_query_contains",
    "cdmi_query_tags",
    "cdmi_queues",
    "cdmi_references",
    "cdmi_serialization_json",
    "cdmi_serialize_container_by_ID",
    "cdmi_serialize_dataobject_by_ID",
    "cdmi_serialize_queue_by_ID",
)
_OF_NODES = {
    "domain": (
        "cdmi_create_domain",
        "cdmi_delete_domain",
        "cdmi_domain_members",
        "cdmi_domain_summary",
        "cdmi_list_children",
        "cdmi_modify_metadata",
        "cdmi_read_metadata",
    ),
    "queue": (
        "cdmi_copy_queue_value",
        "cdmi_delete_queue",
        "cdmi_modify_metadata",
        "cdmi_modify_value",
        "cdmi_move_queue_value",
        "cdmi_read_metadata",
        "cdmi_read_value",
    ),
}
"""What can be done with what has no storage class."""

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
        "cdmi_create_queue",
        "cdmi_create_reference",
        "cdmi_delete_container",
        "cdmi_deserialize_container",
        "cdmi_deserialize_dataobject",
        "cdmi_deserialize_queue",
        "cdmi_list_children",
        "cdmi_list_children_range",
        "cdmi_modify_metadata",
        "cdmi_move_container",
        "cdmi_move_dataobject",
        "cdmi_post_dataobject",
        "cdmi_post_queue",
        "cdmi_read_metadata",
        "cdmi_serialize_container",
        "cdmi_serialize_dataobject",
        "cdmi_serialize_queue",
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

    yield Capability(CAPABILITIES, identity(CAPABILITIES), _SYSTEM, tuple(sorted([*ObjectType, *_OF_NODES])))
    for kind, offered in _OF_NODES.items():
        yield Capability(f"{CAPABILITIES}/{kind}", identity(f"{CAPABILITIES}/{kind}"), offered)
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
