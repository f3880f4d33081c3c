"""The media types of CDMI's requests and answers, for the API description."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from indigo_qos_gateway.api.negotiation import CAPABILITY, CONTAINER, DOMAIN, MULTIPART, OBJECT, QUEUE
from indigo_qos_gateway.api.schemas import (
    CdmiCapability,
    CdmiContainer,
    CdmiDomain,
    CdmiDomainWrite,
    CdmiEnqueue,
    CdmiObject,
    CdmiQueue,
    CdmiQueueWrite,
    CdmiWrite,
)

Models = dict[str, type[BaseModel]]

_ANSWERS: Models = {
    OBJECT: CdmiObject,
    CONTAINER: CdmiContainer,
    QUEUE: CdmiQueue,
    DOMAIN: CdmiDomain,
    CAPABILITY: CdmiCapability,
}
WRITES: Models = {OBJECT: CdmiWrite, CONTAINER: CdmiWrite, QUEUE: CdmiQueueWrite}
APPENDS: Models = {OBJECT: CdmiWrite, QUEUE: CdmiEnqueue}
DOMAIN_WRITES: Models = {DOMAIN: CdmiDomainWrite, OBJECT: CdmiDomainWrite}

_BINARY = {"type": "string", "format": "binary"}


def answers(
    status: int, *types: str, octets: bool = False, parts: bool = False
) -> dict[int | str, dict[str, Any]]:
    """The answers of a route: each type as SNIA's dialect names it, and with ``+json`` as INDIGO's does.

    ``octets`` are the plain bytes of an object, of whatever type they are; ``parts`` is JSON and the bytes.
    """
    content = _json({each: _ANSWERS[each] for each in types})
    if parts:
        content[MULTIPART] = {"schema": _BINARY}
    if octets:
        content["*/*"] = {"schema": _BINARY}
    return {status: {"description": "In the dialect that was asked for", "content": content}}


def bodies(models: Models, *, values: bool = False) -> dict[str, Any]:
    """The body of a route that reads it itself: JSON, and with ``values`` plain bytes, or both in parts."""
    content = _json(models)
    if values:
        content |= {
            f"{MULTIPART}; boundary=b": {"schema": _BINARY},
            "application/octet-stream": {"schema": _BINARY},
        }
    return {"requestBody": {"content": content}}


def describe(document: dict[str, Any]) -> None:
    """Add the schemas ``answers`` and ``bodies`` name to an API description."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in _ANSWERS.values():
        schemas[model.__name__] = model.model_json_schema(mode="serialization")
    for model in (CdmiWrite, CdmiQueueWrite, CdmiEnqueue, CdmiDomainWrite):
        schemas[model.__name__] = model.model_json_schema(mode="validation")


def _json(models: Models) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for media_type, model in models.items():
        schema = {"$ref": f"#/components/schemas/{model.__name__}"}
        content |= {media_type: {"schema": schema}, f"{media_type}+json": {"schema": schema}}
    return content
