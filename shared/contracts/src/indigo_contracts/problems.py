"""Problem types: what an ``application/problem+json`` answer's ``type`` may be (RFC 9457).

A type is ``<base>/problems/<slug>``; slugs are stable and documented in ``docs/problems.md``.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"
BASE = "https://indigo-datacloud.eu/problems/"


class FieldError(BaseModel):
    """One thing wrong with the input, and where: ``pointer`` is a JSON Pointer (RFC 6901) into the body."""

    model_config = ConfigDict(frozen=True)

    pointer: str
    detail: str
    code: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str = Field(examples=[BASE + "not-found"])
    title: str
    status: int
    detail: str | None = None
    instance: str | None = None
    trace_id: str | None = None
    errors: list[FieldError] | None = None


PROBLEMS: dict[str, tuple[int, str]] = {
    "bad-request": (400, "The request cannot be understood"),
    "invalid-body": (422, "The body does not fit its schema"),
    "invalid-parameter": (422, "A parameter does not fit its schema"),
    "invalid-text": (400, "The text cannot be stored"),
    "unauthenticated": (401, "A valid token is needed"),
    "forbidden": (403, "The token does not allow this"),
    "not-found": (404, "There is nothing here"),
    "method-not-allowed": (405, "The method does not exist here"),
    "not-acceptable": (406, "None of the accepted media types can be produced"),
    "conflict": (409, "The state does not allow this"),
    "already-exists": (409, "It exists already"),
    "in-progress": (409, "The first request with this key is still running"),
    "gone": (410, "It was withdrawn"),
    "precondition-failed": (412, "It was changed in the meantime"),
    "too-large": (413, "The body is too large"),
    "unsupported-media-type": (415, "The media type of the body is not supported"),
    "checksum-mismatch": (422, "The bytes do not match the checksum"),
    "idempotency-mismatch": (422, "The idempotency key was used with another request"),
    "precondition-required": (428, "The request must say which version it changes"),
    "too-many-requests": (429, "Too many requests"),
    "internal": (500, "Something went wrong here"),
    "upstream": (502, "Another system answered in a way that cannot be used"),
    "unavailable": (503, "Not ready"),
}
"""slug → (HTTP status, title)."""
