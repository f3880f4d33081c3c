"""Every error leaves as ``application/problem+json`` (RFC 9457), whoever raised it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from indigo_contracts.problems import BASE, MEDIA_TYPE, PROBLEMS, FieldError, Problem
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from indigo_kernel.context import entered
from indigo_kernel.db.engine import DatabaseAway
from indigo_kernel.http.routetable import RouteTable
from indigo_kernel.http.scope import route_path
from indigo_kernel.problems import DomainError, InvalidBody, Unavailable, UnsupportedMediaType

log = structlog.get_logger(__name__)

_MOST_ERRORS = 50
"""Field errors told in one answer: a long list of broken items must not make a longer answer."""

_OF_DATABASE = (DBAPIError, PoolTimeout, DatabaseAway)

_SLUG_OF_STATUS = {
    400: "bad-request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "conflict",
    410: "gone",
    412: "precondition-failed",
    413: "too-large",
    415: "unsupported-media-type",
    428: "precondition-required",
    429: "too-many-requests",
    502: "upstream",
    503: "unavailable",
}


class InternalError(DomainError):
    """Something unexpected happened; the log has it, the answer does not."""

    slug = "internal"


class InvalidParameter(DomainError):
    """A path, query, header or cookie parameter is wrong; a pointer starts with where: ``/query/limit``."""

    slug = "invalid-parameter"


def trace_id() -> str | None:
    context = entered()
    return context.trace_id if context else None


def _answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=problem.status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def problem_response(error: DomainError, scope: Scope) -> Response:
    """The answer that tells ``error``."""
    return _answer(error.problem(instance=scope["path"], trace_id=trace_id()), error.headers)


def known_response(error: Exception, scope: Scope) -> Response | None:
    """The answer that tells an error of ours, or a database that is away; ``None`` for any other."""
    if isinstance(error, DomainError):
        return problem_response(error, scope)
    if not isinstance(error, _OF_DATABASE) or (isinstance(error, DBAPIError) and not _is_away(error)):
        return None
    # Nobody's request is wrong, and trying again soon is right.
    log.warning("database.away", error=str(error))
    return problem_response(Unavailable("The database cannot be reached now", headers={"retry-after": "2"}), scope)


async def send_problem(error: DomainError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer from a middleware, where no exception handler listens."""
    await problem_response(error, scope)(scope, receive, send)


def _segment(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def pointer_into(body: Any, location: Sequence[str | int]) -> str:
    """The JSON Pointer (RFC 6901) for a pydantic location.

    Pydantic puts names of union members and validators between the keys; what is not in ``body`` is left
    out, but for the last part, which names the field that is missing.
    """
    parts: list[str] = []
    node = body
    for position, part in enumerate(location):
        known = (
            part in node
            if isinstance(node, dict)
            else isinstance(node, list) and isinstance(part, int) and part < len(node)
        )
        if known:
            node = node[part]
        elif not (isinstance(node, dict) and isinstance(part, str) and position == len(location) - 1):
            continue
        parts.append("/" + _segment(part))
    return "".join(parts)


def _validation_error(error: RequestValidationError) -> DomainError:
    errors = error.errors()
    parameters = [one for one in errors if one["loc"][0] != "body"]
    if parameters:
        return InvalidParameter(
            "A parameter is missing or has a wrong value",
            errors=[
                FieldError(
                    pointer="".join("/" + _segment(part) for part in one["loc"]),
                    detail=one["msg"],
                    code=one["type"],
                )
                for one in parameters[:_MOST_ERRORS]
            ],
        )
    # FastAPI leaves the body as bytes when its media type is not JSON.
    if isinstance(error.body, bytes) and error.body:
        return UnsupportedMediaType("This route reads application/json", headers={"accept": "application/json"})
    return InvalidBody(
        "The body is missing or has fields with wrong values",
        errors=[
            FieldError(
                pointer=pointer_into(error.body, one["loc"][1:]),
                detail=one["msg"],
                code=one["type"],
            )
            for one in errors[:_MOST_ERRORS]
        ],
    )


def _http_error(error: HTTPException, request: Request, routes: RouteTable) -> Response:
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The router knows only the first route it met; Allow must name the methods of them all (RFC 9110, 15.5.6).
        headers["Allow"] = ", ".join(routes.allowed(route_path(request.scope)))
    slug = _SLUG_OF_STATUS.get(error.status_code)
    phrase = HTTPStatus(error.status_code).phrase
    told = error.detail if error.detail and error.detail != phrase else None
    problem_type, title = ("about:blank", phrase) if slug is None else (BASE + slug, PROBLEMS[slug][1])
    problem = Problem(
        type=problem_type,
        title=title,
        status=error.status_code,
        detail=told,
        instance=request.url.path,
        trace_id=trace_id(),
    )
    return _answer(problem, headers)


def _is_away(error: DBAPIError) -> bool:
    """Whether the server cannot be reached or is going down (SQLSTATE classes 08 and 57P)."""
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return error.connection_invalidated or state.startswith(("08", "57P"))


def install(app: FastAPI, routes: RouteTable) -> None:
    """Make ``app`` answer every error it knows with a problem.

    An exception nobody foresaw is answered by ``AccessMiddleware``, which has the request's trace.
    """

    async def on_known_error(request: Request, error: Exception) -> Response:
        response = known_response(error, request.scope)
        if response is None:
            raise error
        return response

    async def on_validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_response(_validation_error(error), request.scope)

    async def on_http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _http_error(error, request, routes)

    for known in (DomainError, *_OF_DATABASE):
        app.add_exception_handler(known, on_known_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_error)
