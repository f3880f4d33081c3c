"""Objects, containers and queues as notifications and queries see them: with SNIA's names and slashes.

Source: CDMI 1.1.1, clauses 8.3, 9.3 and 11.3.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from indigo_qos_gateway.application.row_ports import StoredObject
from indigo_qos_gateway.domain.node import Node
from indigo_qos_gateway.domain.paths import ROOT, name, parent
from indigo_qos_gateway.domain.storage import ObjectType, Status, class_uri


def document(stored: StoredObject, status: Status | None) -> dict[str, Any]:
    """An object or a container without its value and its children; ``status`` is absent for one that is gone."""
    container = stored.object_type is ObjectType.CONTAINER
    metadata: dict[str, Any] = dict(stored.metadata)
    known: dict[str, Any] = {
        "objectType": "application/cdmi-container" if container else "application/cdmi-object",
        "objectID": stored.object_id,
        **_place(stored.path, slash=container),
        "domainURI": f"{stored.domain}/",
        "completionStatus": "Processing" if stored.partial else "Complete",
        "metadata": metadata,
    }
    if not container:
        known["mimetype"] = stored.mimetype
    if status is not None:
        known["capabilitiesURI"] = f"{class_uri(status.object_type, status.storage_class)}/"
        metadata |= {f"{key}_provided": each for key, each in status.provided.items()}
        metadata["cdmi_mtime"] = instant(status.modified)
        if not container:
            metadata["cdmi_size"] = str(status.size)
        if stored.sha256 or status.sha256:
            metadata["cdmi_hash"] = stored.sha256 or status.sha256
    return known


def node_document(node: Node) -> dict[str, Any]:
    """A queue without its values, or a reference."""
    known: dict[str, Any] = {
        "objectType": f"application/cdmi-{node.kind}",
        "objectID": node.object_id,
        **_place(node.path, slash=False),
        "domainURI": f"{node.domain}/",
        "metadata": dict(node.metadata),
    }
    return known if node.target is None else known | {"reference": node.target}


def instant(at: datetime) -> str:
    """CDMI's time: six digits of fractions, in UTC (clause 5.14)."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _place(path: str, *, slash: bool) -> dict[str, str]:
    if path == ROOT:
        return {"objectName": "/", "parentURI": ""}
    above = parent(path)
    return {
        "objectName": name(path) + ("/" if slash else ""),
        "parentURI": above if above == ROOT else f"{above}/",
    }
