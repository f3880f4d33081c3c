"""Errors that know their HTTP answer: raise a ``DomainError``, the edge writes problem+json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from indigo_contracts.problems import BASE, PROBLEMS, FieldError, Problem


class DomainError(Exception):
    """Something the caller did or must know. ``slug`` is a key of ``indigo_contracts.problems.PROBLEMS``."""

    slug = "bad-request"

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(errors)
        self.headers = headers or {}
        self.extra = extra

    @property
    def status(self) -> int:
        return PROBLEMS[self.slug][0]

    def problem(self, *, instance: str | None = None, trace_id: str | None = None) -> Problem:
        status, title = PROBLEMS[self.slug]
        return Problem(
            type=BASE + self.slug,
            title=title,
            status=status,
            detail=self.detail,
            instance=instance,
            trace_id=trace_id,
            errors=self.errors or None,
            **self.extra,
        )


class BadRequest(DomainError):
    slug = "bad-request"


class InvalidBody(DomainError):
    slug = "invalid-body"


class InvalidText(DomainError):
    slug = "invalid-text"


class Unauthenticated(DomainError):
    slug = "unauthenticated"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail, headers={"www-authenticate": "Bearer"}, **extra)


class Forbidden(DomainError):
    slug = "forbidden"


class NotFound(DomainError):
    slug = "not-found"


class NotAcceptable(DomainError):
    slug = "not-acceptable"


class Conflict(DomainError):
    slug = "conflict"


class AlreadyExists(DomainError):
    slug = "already-exists"


class InProgress(DomainError):
    slug = "in-progress"


class Gone(DomainError):
    slug = "gone"


class StaleVersion(DomainError):
    """``If-Match`` names a version that is not the current one."""

    slug = "precondition-failed"


class TooLarge(DomainError):
    slug = "too-large"


class UnsupportedMediaType(DomainError):
    slug = "unsupported-media-type"


class ChecksumMismatch(DomainError):
    slug = "checksum-mismatch"


class IdempotencyMismatch(DomainError):
    slug = "idempotency-mismatch"


class PreconditionRequired(DomainError):
    slug = "precondition-required"


class TooManyRequests(DomainError):
    slug = "too-many-requests"


class Upstream(DomainError):
    slug = "upstream"


class Unavailable(DomainError):
    slug = "unavailable"
