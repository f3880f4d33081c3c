"""Values of data objects in and out: plain bytes with ranges, and text in JSON.

Sources: RFC 9110, sections 13.1.5 and 14; CDMI 1.1.1, clauses 6 and 8.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from fastapi import Request, Response
from indigo_contracts.problems import FieldError
from indigo_kernel.http.jsontext import check_json
from indigo_kernel.problems import BadRequest, Conflict, TooLarge
from pydantic import BaseModel, ValidationError
from starlette.responses import StreamingResponse

from indigo_qos_gateway.api.negotiation import Dialect
from indigo_qos_gateway.api.schemas import UNSUPPORTED
from indigo_qos_gateway.application.viewing import OCTETS, Tree, View
from indigo_qos_gateway.domain.ranges import Unsatisfiable, parse_range
from indigo_qos_gateway.domain.selection import Span
from indigo_qos_gateway.domain.serialized import MOST_BYTES, MOST_DEPTH, Serialized, read_form
from indigo_qos_gateway.domain.values import check_media_type

MOST_JSON_BYTES = 4 * 1024 * 1024
"""Of a JSON body, and of a value inside a JSON answer."""

_DEPTH = 64
_SERIALIZED_DEPTH = _DEPTH + 2 * MOST_DEPTH
_UTF8 = re.compile(r"charset\s*=\s*\"?utf-8", re.IGNORECASE)
# Whoever stored the bytes also chose their type: a browser shall not run them as a page of this origin.
_SANDBOX = "default-src 'none'; sandbox"


async def bytes_response(gateway: Tree, view: View, request: Request, dialect: Dialect) -> Response:
    """The plain bytes, or the range of them asked for: 200, 206 or 416."""
    size, checksum = view.status.size, view.stored.sha256
    headers = {"accept-ranges": "bytes", "content-security-policy": _SANDBOX, **dialect.headers}
    if checksum is not None:
        headers["etag"] = f'"{checksum}"'
    span = None
    asked = request.headers.get("range")
    if asked is not None and request.headers.get("if-range") in {None, headers.get("etag")}:
        try:
            span = parse_range(asked, size)
        except Unsatisfiable:
            return Response(status_code=416, headers=headers | {"content-range": f"bytes */{size}"})
    length = span.last - span.first + 1 if span else size
    headers |= {"content-length": str(length), "content-type": view.stored.mimetype}
    if span is not None:
        headers["content-range"] = f"bytes {span}/{size}"
    chunks = gateway.read(view.status, span)
    return StreamingResponse(chunks, status_code=206 if span else 200, headers=headers)


def within(span: Span, size: int) -> Span:
    """The part of a range there is in ``size`` bytes. Raises ``BadRequest`` when there is none."""
    if span.first >= size:
        raise BadRequest(f"The object has {size} bytes; the range {span} begins behind its end")
    return Span(span.first, min(span.last, size - 1))


def check_complete(view: View) -> None:
    """Raise ``Conflict`` for the value of an object whose client said that more of it will come."""
    if view.stored.partial:
        raise Conflict(f"{view.status.path} is not complete: its last part was not sent (X-CDMI-Partial)")


async def value_of(gateway: Tree, view: View, span: Span | None) -> tuple[bytes, Span | None]:
    """The bytes for a JSON answer, and the part of the range there is.

    Raises ``BadRequest`` when they are too many, ``Offline`` when on tape.
    """
    size = view.status.size
    if span is not None:
        span = within(span, size)
    length = span.last - span.first + 1 if span else size
    if length > MOST_JSON_BYTES:
        raise BadRequest(
            f"A value in JSON has at most {MOST_JSON_BYTES} bytes; ask for a range, or for the plain bytes"
            " with an Accept that names their type"
        )
    return b"".join([chunk async for chunk in gateway.read(view.status, span)]), span


Body = TypeVar("Body", bound=BaseModel)


async def body_text(request: Request) -> bytes:
    """A JSON body. Raises ``TooLarge``."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_JSON_BYTES:
            raise TooLarge(f"A JSON body has at most {MOST_JSON_BYTES} bytes", headers={"connection": "close"})
    return bytes(body)


def parsed(text: bytes, model: type[Body]) -> Body:
    """A JSON body, checked; an empty one stands for ``{}``. Raises ``BadRequest`` with pointers."""
    text = text or b"{}"
    check_json(text, max_depth=_DEPTH)
    try:
        written = model.model_validate_json(text)
    except ValidationError as error:
        raise BadRequest(
            "The body does not fit its schema",
            errors=[
                FieldError(pointer="".join(f"/{part}" for part in one["loc"]), detail=one["msg"], code=one["type"])
                for one in error.errors()
            ],
        ) from None
    refuse_unsupported(json.loads(text))
    return written


def refuse_unsupported(document: dict[str, Any]) -> None:
    """Raise ``BadRequest`` for fields that need a capability this gateway does not have."""
    for name in UNSUPPORTED:
        if name in document:
            detail = f"{name} is not supported here (see /cdmi_capabilities)"
            raise BadRequest(detail, errors=[FieldError(pointer=f"/{name}", detail=detail, code="unsupported")])


def decoded(value: str, encoding: str | None, pointer: str = "/value") -> bytes:
    """The bytes of a value in JSON; ``encoding`` is ``base64``, or text. Raises ``BadRequest``."""
    if encoding != "base64":
        return value.encode()
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        detail = "The value is not base64"
        raise BadRequest(detail, errors=[FieldError(pointer=pointer, detail=detail, code="base64")]) from None


def serialized(text: bytes) -> Serialized:
    """What a serialized object says. Raises ``BadRequest`` for one that cannot be read or stored."""
    if len(text) > MOST_BYTES:
        raise BadRequest(f"A serialized object has at most {MOST_BYTES} bytes")
    check_json(text, max_depth=_SERIALIZED_DEPTH)
    return read_form(json.loads(text))


def checked_type(media_type: str | None) -> str:
    """The media type of a value; plain bytes when nobody said. Raises ``BadRequest``."""
    return OCTETS if media_type is None else check_media_type(media_type)


def encoding_of(mimetype: str) -> str:
    """How the value of an object of this type is shown in JSON when nobody said."""
    return "utf-8" if mimetype.startswith("text/") or _UTF8.search(mimetype) else "base64"


async def once(data: bytes) -> AsyncIterator[bytes]:
    """Bytes that are all there, as a stream."""
    yield data


async def body_of(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes in, of any size."""
    async for chunk in request.stream():
        if chunk:
            yield chunk
