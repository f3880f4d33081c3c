"""How the Handle REST API says yes and no.

Sources: Handle.Net technical manual (version 9), chapter 14 (HTTP status of each response code); RFC 3652, section
2.2.3 (the codes).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Request
from indigo_kernel.auth.dependency import Authenticator, authenticate
from indigo_kernel.auth.principal import Principal
from indigo_kernel.http.openapi import Responses, responses
from indigo_kernel.problems import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Forbidden,
    InvalidBody,
    NotFound,
    Unauthenticated,
)
from starlette.responses import JSONResponse, Response

from indigo_pid.api.schemas import HandleRecord
from indigo_pid.application.handles import ForeignPrefix, InvalidHandle, NoSuchValues, ValueExists
from indigo_pid.domain.handle_values import InvalidValue

FOUND = 1
NOT_FOUND = 100
EXISTS = 101
INVALID = 102
NO_VALUES = 200
VALUE_EXISTS = 201
INVALID_VALUE = 202
FOREIGN = 301
NOT_PERMITTED = 401
UNAUTHENTICATED = 402

_ANSWERS: list[tuple[type[Exception], int, int]] = [
    (Unauthenticated, 401, UNAUTHENTICATED),
    (Forbidden, 403, NOT_PERMITTED),
    (Conflict, 403, NOT_PERMITTED),
    (NotFound, 404, NOT_FOUND),
    (AlreadyExists, 409, EXISTS),
    (ValueExists, 409, VALUE_EXISTS),
    (NoSuchValues, 400, NO_VALUES),
    (InvalidValue, 400, INVALID_VALUE),
    (InvalidBody, 400, INVALID_VALUE),
    (InvalidHandle, 400, INVALID),
    (ForeignPrefix, 400, FOREIGN),
]

ERRORS: Responses = {
    # What the kernel refuses before it comes here is a problem document.
    400: {**responses(BadRequest)[400], "model": HandleRecord},
    401: {"description": "No credentials, or wrong ones", "model": HandleRecord},
    403: {"description": "Somebody else's", "model": HandleRecord},
    404: {"description": "No such handle", "model": HandleRecord},
    409: {"description": "It exists, or a value does", "model": HandleRecord},
}


class Refusal(Exception):
    """An answer that is a no."""

    def __init__(self, answer: JSONResponse) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


def refusal(status: int, code: int, handle: str, message: str | None = None) -> JSONResponse:
    """A no in the form of the Handle REST API."""
    record = HandleRecord(responseCode=code, handle=handle, message=message)
    headers = {"www-authenticate": 'Basic realm="handle"'} if status == 401 else None
    return JSONResponse(record.model_dump(exclude_none=True), status, headers)


async def tell_refusal(_request: Request, error: Exception) -> Response:
    """The exception handler for ``Refusal``."""
    assert isinstance(error, Refusal)
    return error.answer


@contextmanager
def telling(handle: str) -> Iterator[None]:
    """Turns what the use cases refuse into a ``Refusal`` about ``handle``."""
    try:
        yield
    except Exception as error:
        for kind, status, code in _ANSWERS:
            if isinstance(error, kind):
                message = getattr(error, "detail", None) or str(error)
                raise Refusal(refusal(status, code, handle, message)) from error
        raise


async def _handle_principal(request: Request) -> Principal:
    """Who asks: a token or an API key as everywhere, or Basic with an API key as the password.

    Clients of the Handle System give ``index:prefix/suffix`` as the user name, percent-encoded for its colon;
    here the key says who it is. A password that is no key of ours is nobody.
    """
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return await authenticate(request)
    authenticator: Authenticator = request.app.state.authenticator
    return await authenticator.basic(encoded.strip())


async def handle_principal(request: Request) -> Principal:
    """As above; wrong credentials are told as the Handle REST API does."""
    with telling(request.path_params.get("handle", "")):
        return await _handle_principal(request)


HandleWho = Annotated[Principal, Depends(handle_principal)]
