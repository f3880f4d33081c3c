"""The media types of CDMI's requests and answers, for the API description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from indigo_qos_gateway.api.negotiation import CAPABILITY, CONTAINER, DOMAIN, MULTIPART, OBJECT, QUEUE
from indigo_qos_gateway.api.schemas import (
    CdmiCapability,
    CdmiContainer,
    CdmiDomain,
    CdmiObject,
    CdmiQueue,
)

_MODELS: dict[str, type[BaseModel]] = {
    OBJECT: CdmiObject,
    CONTAINER: CdmiContainer,
    QUEUE: CdmiQueue,
    DOMAIN: CdmiDomain,
    CAPABILITY: CdmiCapability,
}

_BINARY = {"type": "string", "format": "binary"}


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
        content[MULTIPART] = {"schema": _BINARY}
    if octets:
        content["*/*"] = {"schema": _BINARY}
    return {status: {"description": "In the dialect that was asked for", "content": content}}


def bodies(types: Mapping[str, type[BaseModel]], *, octets: bool = False, parts: bool = False) -> dict[str, Any]:
    """The body of a route that reads it itself: JSON of these types and models, plain bytes, both in parts."""
    content: dict[str, Any] = {}
    for cdmi_type, model in types.items():
        schema = model.model_json_schema(mode="validation")
        content |= {cdmi_type: {"schema": schema}, f"{cdmi_type}+json": {"schema": schema}}
    if parts:
        content[f"{MULTIPART}; boundary=b"] = {"schema": _BINARY}
    if octets:
        content["application/octet-stream"] = {"schema": _BINARY}
    return {"requestBody": {"content": content}}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(mode="serialization")
