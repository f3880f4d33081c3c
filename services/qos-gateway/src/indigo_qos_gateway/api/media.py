"""The media types of CDMI's answers, for the API description."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from indigo_qos_gateway.api.negotiation import CAPABILITY, CONTAINER, DOMAIN, MULTIPART, OBJECT, QUEUE
from indigo_qos_gateway.api.schemas import CdmiCapability, CdmiContainer, CdmiDomain, CdmiObject, CdmiQueue

_MODELS: dict[str, type[BaseModel]] = {
    OBJECT: CdmiObject,
    CONTAINER: CdmiContainer,
    QUEUE: CdmiQueue,
    DOMAIN: CdmiDomain,
    CAPABILITY: CdmiCapability,
}


def answers(
    status: int, *types: str, octets: bool = False, parts: bool = False
) -> dict[int | str, dict[str, Any]]:
    """The answers of a route: each type as SNIA's dialect names it, and with ``+json`` as INDIGO's does.

    ``octets`` are the plain bytes of an object, of whatever type they are; ``parts`` is JSON and the bytes.
    """
    content: dict[str, Any] = {}
    for cdmi_type in types:
        schema = _schema(_MODELS[cdmi_type])
        content |= {cdmi_type: {"schema": schema}, f"{cdmi_type}+json": {"schema": schema}}
    if parts:
        content[MULTIPART] = {"schema": {"type": "string", "format": "binary"}}
    if octets:
        content["*/*"] = {"schema": {"type": "string", "format": "binary"}}
    return {status: {"description": "In the dialect that was asked for", "content": content}}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(mode="serialization")
