"""Which dialect a request speaks, and which representation it wants.

A request with ``X-CDMI-Specification-Version`` is answered as SNIA's CDMI 1.1.1 says (clauses 5.13 and 6):
slashes, types and versions are strict. A request without is answered in the dialect of the INDIGO QoS server,
which gfal2 and FTS speak: JSON, names without slashes, no redirects. Without the header, ``Accept`` with a type
that is not CDMI's, or ``Range``, asks for the plain bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from indigo_contracts.problems import PROBLEMS
from indigo_kernel.problems import BadRequest, DomainError, NotAcceptable

VERSION_HEADER = "x-cdmi-specification-version"
VERSIONS = ("2.0.0", "2.0", "1.1.1", "1.1", "1.0.2", "1.0.1")
"""Highest first."""

UNASKED = "1.1.1"
"""What answers say when nobody asked for a version: INDIGO's servers said so."""

_NUMBER = re.compile(r"\d+(?:\.\d+)*")

OBJECT = "application/cdmi-object"
CONTAINER = "application/cdmi-container"
QUEUE = "application/cdmi-queue"
DOMAIN = "application/cdmi-domain"
CAPABILITY = "application/cdmi-capability"
MULTIPART = "multipart/mixed"
_JSON_TYPES = frozenset({OBJECT, CONTAINER, QUEUE, DOMAIN, CAPABILITY, "application/json", "application/*", "*/*"})

Handle = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """``version`` is what both sides speak; ``None`` stands for the INDIGO dialect."""

    version: str | None

    @property
    def strict(self) -> bool:
        return self.version is not None

    @property
    def headers(self) -> dict[str, str]:
        return {VERSION_HEADER: self.version or UNASKED}

    def media_type(self, cdmi_type: str) -> str:
        return cdmi_type if self.strict else f"{cdmi_type}+json"

    def slash(self, uri: str) -> str:
        """A container's or capability's URI as this dialect writes it."""
        return uri.rstrip("/") + "/" if self.strict else uri


def negotiate(request: Request) -> Dialect:
    """Raises ``BadRequest`` when no version is common. Letters after a number (``1.0.1h``) do not count."""
    if VERSION_HEADER not in request.headers:
        return Dialect(None)
    version = _common(request)
    if version is None:
        raise BadRequest(f"None of these CDMI versions is spoken here; spoken are {', '.join(VERSIONS)}")
    return Dialect(version)


def _common(request: Request) -> str | None:
    return _highest(request.headers.get(VERSION_HEADER, ""))


@lru_cache(maxsize=256)
def _highest(asked: str) -> str | None:
    """Clients send the same few values with all their requests."""
    numbers = {match[0] for each in asked.split(",") if (match := _NUMBER.match(each.strip()))}
    return next((version for version in VERSIONS if version in numbers), None)


def accepted(request: Request) -> tuple[str, ...]:
    """Media types of ``Accept`` without parameters and CDMI's ``+json``; none takes anything."""
    return _types(",".join(request.headers.getlist("accept")))


@lru_cache(maxsize=256)
def _types(accept: str) -> tuple[str, ...]:
    types = [each.partition(";")[0].strip().lower() for each in accept.split(",") if each.strip()]
    return tuple(bare(each) for each in types)


def wants_bytes(request: Request, dialect: Dialect) -> bool:
    """Whether the plain value of a data object is asked for."""
    if dialect.strict:
        return False
    types = accepted(request)
    return "range" in request.headers or (bool(types) and not _JSON_TYPES & set(types))


def wants_parts(request: Request, dialect: Dialect, cdmi_type: str) -> bool:
    """Whether a value is asked for beside the JSON, as it is (CDMI 1.1.1, clause 8.3.6)."""
    types = accepted(request)
    return dialect.strict and MULTIPART in types and not {cdmi_type, "*/*"} & set(types)


def check_acceptable(request: Request, dialect: Dialect, cdmi_type: str) -> None:
    """Raise ``NotAcceptable`` (406) in the strict dialect unless ``cdmi_type`` may be sent."""
    types = accepted(request)
    if dialect.strict and types and not {cdmi_type, "application/json", "application/*", "*/*"} & set(types):
        raise NotAcceptable(f"Only {cdmi_type} can be sent")


def content_type(request: Request) -> str:
    """Media type of the body without parameters and CDMI's ``+json``; empty when there is none."""
    return bare(request.headers.get("content-type", "").partition(";")[0].strip().lower())


def bare(media_type: str) -> str:
    return media_type.removesuffix("+json") if media_type.startswith("application/cdmi-") else media_type


class CdmiRoute(APIRoute):
    """Errors in CDMI's form: problem+json, with the version header and the keys KIT's web client reads."""

    def get_route_handler(self) -> Handle:
        return told(super().get_route_handler())


def told(handle: Handle) -> Handle:
    """``handle`` with its errors in CDMI's form."""

    async def handled(request: Request) -> Response:
        try:
            return await handle(request)
        except DomainError as error:
            error.extra |= {"error": PROBLEMS[error.slug][1], "message": error.detail}
            error.headers.setdefault(VERSION_HEADER, _common(request) or UNASKED)
            raise

    return handled


def check_patch(dialect: Dialect) -> None:
    """Raise ``BadRequest`` for PATCH in a version that does not have it."""
    if dialect.strict and not (dialect.version or "").startswith("2."):
        raise BadRequest("PATCH is of CDMI 2.0; this version changes objects with PUT")
