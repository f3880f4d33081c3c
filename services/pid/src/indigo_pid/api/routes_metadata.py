"""Metadata checked before anybody registers it, from JSON or XML, and shown in both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from indigo_contracts.problems import FieldError
from indigo_kernel.http.openapi import responses
from indigo_kernel.problems import InvalidBody, UnsupportedMediaType
from pydantic import BaseModel, ConfigDict, Field

from indigo_pid.datacite.validation import InvalidMetadata, read_resource
from indigo_pid.datacite.xml import attributes_from_xml, to_xml

_MOST_ERRORS = 200


class MetadataReport(BaseModel):
    """Whether a registrar would take the metadata. Pointers of ``errors`` lead into its JSON form."""

    model_config = ConfigDict(frozen=True)

    complete: bool
    errors: list[FieldError] = Field(description=f"what is wrong, the first {_MOST_ERRORS}")
    attributes: dict[str, Any] | None = Field(description="in the JSON form of the DataCite REST API, normalized")
    xml: str | None = Field(description="as DataCite XML of kernel 4, where a DOI is mandatory")


def _from_json(body: bytes) -> Mapping[str, Any]:
    value = json.loads(body)
    if not isinstance(value, dict):
        raise InvalidBody(
            "Metadata is a JSON object", errors=[FieldError(pointer="", detail="It is no object", code="type")]
        )
    return value


_READERS: Mapping[str, Callable[[bytes], Mapping[str, Any]]] = {
    "application/json": _from_json,
    "application/vnd.datacite.datacite+json": _from_json,
    "application/vnd.datacite.datacite+xml": attributes_from_xml,
    "application/x-datacite+xml": attributes_from_xml,
    "application/xml": attributes_from_xml,
}


def metadata_routes() -> APIRouter:
    """The route ``/api/metadata/check``."""
    router = APIRouter(prefix="/api/metadata", tags=["metadata"])

    @router.post(
        "/check",
        responses=responses(UnsupportedMediaType),
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    name: {"schema": {"type": "string" if name.endswith("xml") else "object"}} for name in _READERS
                },
            }
        },
    )
    async def check_metadata(request: Request) -> MetadataReport:
        """Tell field by field what a registrar would not take (DataCite schema 4.7). Nothing is stored."""
        name = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        reader = _READERS.get(name)
        if reader is None:
            told = ", ".join(_READERS)
            raise UnsupportedMediaType(f"Metadata is read as {told}, in UTF-8", headers={"accept": told})
        body = await request.body()
        if not body:
            raise InvalidBody("The body is missing")
        # A large document takes a while, and others wait for this thread.
        return await asyncio.to_thread(_report, reader, body)

    return router


def _report(reader: Callable[[bytes], Mapping[str, Any]], body: bytes) -> MetadataReport:
    try:
        resource = read_resource(reader(body))
    except InvalidMetadata as invalid:
        return MetadataReport(complete=False, errors=invalid.errors[:_MOST_ERRORS], attributes=None, xml=None)
    xml = to_xml(resource).decode() if resource.doi else None
    return MetadataReport(complete=True, errors=[], attributes=resource.document(), xml=xml)
