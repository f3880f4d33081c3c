"""CDMI objects as JSON, in both dialects.

Sources: CDMI 1.1.1, clauses 8.3, 9.3, 12.2 and 16; the INDIGO QoS dialect for ``cdmi_capabilities_target``,
``cdmi_recommended_polling_interval`` and ``*_provided``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Response

from indigo_qos_gateway.api.child_names import Names
from indigo_qos_gateway.api.negotiation import CAPABILITY, CONTAINER, OBJECT, Dialect
from indigo_qos_gateway.api.schemas import CdmiCapability, CdmiContainer, CdmiDomain, CdmiObject, CdmiQueue
from indigo_qos_gateway.application.capabilities import Capability
from indigo_qos_gateway.application.documents import instant
from indigo_qos_gateway.application.viewing import View
from indigo_qos_gateway.domain.metadata import selected
from indigo_qos_gateway.domain.paths import ORPHANS, ROOT, name, parent
from indigo_qos_gateway.domain.selection import Selection, Span
from indigo_qos_gateway.domain.storage import DEFAULT_CLASS, ObjectType, class_uri
from indigo_qos_gateway.domain.values import encoded
from indigo_qos_gateway.domain.wishes import ACTION, LIFETIME

Answer = CdmiObject | CdmiContainer | CdmiQueue | CdmiDomain | CdmiCapability


def respond(answer: Answer, dialect: Dialect, cdmi_type: str, status: int = 200) -> Response:
    """The answer with the fields that were set, and the version both sides speak."""
    return Response(
        answer.model_dump_json(exclude_unset=True),
        status_code=status,
        media_type=dialect.media_type(cdmi_type),
        headers=dialect.headers,
    )


def object_json(
    view: View, selection: Selection, dialect: Dialect, polling_ms: int, value: tuple[bytes, Span | None] | None
) -> CdmiObject:
    """A data object; ``value`` has the bytes to show and the range they are, when they may be shown."""
    status, stored = view.status, view.stored
    encoding, text = stored.encoding, None
    if value is not None:
        encoding, text = encoded(value[0], stored.encoding if value[1] is None else "base64")
    fields: dict[str, Any] = {
        "objectType": OBJECT,
        **_identity(view, dialect),
        "completionStatus": "Processing" if stored.partial else "Complete",
        "mimetype": stored.mimetype,
        "metadata": selected(_metadata(view, polling_ms), selection.metadata()),
        "valuetransferencoding": encoding,
    }
    if status.size:
        fields["valuerange"] = str(value[1] if value and value[1] else Span(0, status.size - 1))
    if text is not None:
        fields["value"] = text
    return CdmiObject(**{key: each for key, each in fields.items() if selection.wants(key)})


def container_json(view: View, selection: Selection, dialect: Dialect, polling_ms: int) -> CdmiContainer:
    """A container with its children, or the range of them that is asked for."""
    fields: dict[str, Any] = {
        "objectType": CONTAINER,
        **_identity(view, dialect),
        **_completion(view),
        "metadata": selected(_metadata(view, polling_ms), selection.metadata()),
        **_listed(view, selection, dialect),
    }
    return CdmiContainer(**{key: each for key, each in fields.items() if selection.wants(key)})


def _completion(view: View) -> dict[str, str]:
    """Whether everything is there that a copy or a move shall bring (clause 9.3)."""
    if view.transfer is None:
        return {"completionStatus": "Complete"}
    return {"completionStatus": view.transfer.status, "percentComplete": str(view.transfer.percent)}


def capability_json(
    capability: Capability, parent_id: str | None, selection: Selection, dialect: Dialect
) -> CdmiCapability:
    """A node of the capability tree."""
    names = [each + ("/" if dialect.strict else "") for each in capability.children]
    above = parent(capability.uri)
    fields: dict[str, Any] = {
        "objectType": CAPABILITY,
        "objectID": capability.object_id,
        "objectName": dialect.slash(name(capability.uri)),
        "parentURI": above if above == ROOT else dialect.slash(above),
        "capabilities": dict.fromkeys(capability.capabilities, "true"),
        **children_fields(names, selection),
    }
    if parent_id is not None:
        fields["parentID"] = parent_id
    if capability.metadata:
        fields["metadata"] = selected(capability.metadata, selection.metadata())
    return CdmiCapability(**{key: each for key, each in fields.items() if selection.wants(key)})


def _identity(view: View, dialect: Dialect) -> dict[str, Any]:
    status = view.status
    container = status.object_type is ObjectType.CONTAINER
    known: dict[str, Any] = {"objectID": view.stored.object_id}
    if parent(status.path) == ORPHANS:
        pass  # it has an identifier and no place
    elif status.path == ROOT:
        known |= {"objectName": "/", "parentURI": ""}
    else:
        above = parent(status.path)
        known["objectName"] = dialect.slash(name(status.path)) if container else name(status.path)
        known["parentURI"] = above if above == ROOT else dialect.slash(above)
        known["parentID"] = view.parent_id
    known["domainURI"] = dialect.slash(view.stored.domain)
    known["capabilitiesURI"] = dialect.slash(class_uri(status.object_type, status.storage_class))
    return known


def _metadata(view: View, polling_ms: int) -> dict[str, Any]:
    """Clients' metadata, then what was observed; the transition's two keys are there only while it runs."""
    status, stored = view.status, view.stored
    known: dict[str, Any] = dict(stored.metadata)
    known["cdmi_mtime"] = instant(status.modified)
    if status.object_type is ObjectType.DATAOBJECT:
        known["cdmi_size"] = str(status.size)
        if stored.sha256 or status.sha256:
            known["cdmi_hash"] = stored.sha256 or status.sha256
    for key, each in status.provided.items():
        known[key if key == DEFAULT_CLASS else f"{key}_provided"] = each
    known["cdmi_capabilities_allowed_provided"] = [class_uri(status.object_type, each) for each in view.allowed]
    if view.lifetime is not None:
        known[f"{LIFETIME}_provided"] = view.lifetime.duration.text
        known[f"{ACTION}_provided"] = view.lifetime.action
    known["cdmi_capability_association_time"] = instant(stored.association_time)
    if view.moving_to is not None:
        known["cdmi_capabilities_target"] = class_uri(status.object_type, view.moving_to)
        known["cdmi_recommended_polling_interval"] = str(polling_ms)
    return known


def _listed(view: View, selection: Selection, dialect: Dialect) -> dict[str, Any]:
    if not lists_children(selection):
        return {}
    return children_fields(Names(view.children, view.nodes, strict=dialect.strict), selection)


def lists_children(selection: Selection) -> bool:
    """Whether the entries of a container are asked for."""
    return selection.wants("children") or selection.wants("childrenrange")


def children_fields(names: Sequence[str], selection: Selection) -> dict[str, Any]:
    """The names of children, or the range of them that is asked for, and which range that is."""
    span = selection.span("children")
    shown = list(names[span.first : span.last + 1] if span else names[:])
    first = span.first if span else 0
    told = str(Span(first, first + len(shown) - 1)) if shown else ""
    return {"childrenrange": told, "children": shown}
