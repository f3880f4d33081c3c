"""What may come in: sizes, JSON and text are checked once, here, for every route."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from indigo_kernel.http.errors import send_problem
from indigo_kernel.http.jsontext import check_json
from indigo_kernel.http.scope import header, route_path
from indigo_kernel.problems import BadRequest, DomainError, InvalidText, TooLarge

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_MOST_HEADER_BYTES = 32 * 1024
_MOST_DRAINED_BYTES = 64 * 1024 * 1024
_DRAIN_SECONDS = 1.0
"""How long the next piece of a refused body is waited for."""


def no_streams(_method: str, _path: str) -> bool:
    """No route streams."""
    return False


@dataclass(frozen=True, slots=True)
class InputLimits:
    """``streams(method, path)`` says which routes read a body of any size by themselves (uploads)."""

    max_body_bytes: int = 4 * 1024 * 1024
    max_json_depth: int = 64
    streams: Callable[[str, str], bool] = no_streams


class ClientGone(Exception):
    """The client went away before its request was complete: there is nobody to answer."""


class _Incoming:
    """The messages of a request; knows whether there may be more of its body."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self._ended = not message.get("more_body", False)
        return message

    def draining(self, send: Send) -> Send:
        """Sends an answer and then reads what is left of the body, in bounds, before the connection is closed.

        A connection closed on unread data is reset, and a client that sends all before it reads, as most do,
        loses the answer with it (RFC 9112, section 9.6).
        """

        async def answer(message: Message) -> None:
            if message["type"] != "http.response.body" or message.get("more_body", False):
                await send(message)
                return
            await send({**message, "more_body": True})
            await self._drain()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        return answer

    async def _drain(self) -> None:
        left = _MOST_DRAINED_BYTES
        with contextlib.suppress(TimeoutError):  # the client reads the answer, or has nothing more to say
            while not self._ended and left > 0:
                message = await asyncio.wait_for(self(), _DRAIN_SECONDS)
                left -= len(message.get("body", b""))


class LimitsMiddleware:
    """Refuses input no route could use, and reads the bodies of all routes that do not stream.

    Text in the path and the query must be UTF-8 without NUL once its percent escapes are decoded. Header
    values may not hold NUL; their percent escapes stay as they are, since nothing decodes them.
    """

    def __init__(self, app: ASGIApp, limits: InputLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        incoming = _Incoming(receive)
        try:
            check_text(scope)
            if not self._limits.streams(scope["method"], route_path(scope)):
                receive = await self._whole(scope, incoming)
        except TooLarge as error:
            await send_problem(error, scope, receive, incoming.draining(send))
            return
        except DomainError as error:
            await send_problem(error, scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _whole(self, scope: Scope, receive: _Incoming) -> Receive:
        announced = header(scope, b"content-length")
        if announced is None:
            if scope["method"] in _WITHOUT_BODY and header(scope, b"transfer-encoding") is None:
                return receive
        elif not announced.isdecimal():
            raise BadRequest("Content-Length is not a number")
        elif int(announced) > self._limits.max_body_bytes:
            raise self._too_large()
        body = await self._read(receive)
        if body:
            self._check(body, header(scope, b"content-type") or "")
        return _replay(body, receive)

    async def _read(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self._limits.max_body_bytes:
                raise self._too_large()
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks) if len(chunks) > 1 else chunk

    def _check(self, body: bytes, content_type: str) -> None:
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type == "application/json" or media_type.endswith("+json"):
            check_json(body, max_depth=self._limits.max_json_depth)
        elif media_type == "application/x-www-form-urlencoded":
            _check_escaped(body, "form")

    def _too_large(self) -> TooLarge:
        limit = self._limits.max_body_bytes
        # Of the body only a part is read, so the connection cannot be used again.
        return TooLarge(
            f"The body may have {limit} bytes at most", headers={"connection": "close"}, max_bytes=limit
        )


def check_text(scope: Scope) -> None:
    """Raise ``InvalidText`` for a path, a query or headers no database can store, ``BadRequest`` for too many."""
    raw_path: bytes = scope.get("raw_path") or b""
    if b"%" in raw_path:
        _check_escaped(raw_path, "path")
    query: bytes = scope["query_string"]
    if query:
        _check_escaped(query, "query")
    values = b"".join([value for _, value in scope["headers"]])
    if b"\x00" in values:
        raise InvalidText("A header holds a NUL character")
    if len(values) > _MOST_HEADER_BYTES:
        raise BadRequest("The headers are too large")


def _check_escaped(text: bytes, where: str) -> None:
    decoded = unquote_to_bytes(text) if b"%" in text else text
    if b"\x00" in decoded:
        raise InvalidText(f"The {where} holds a NUL character")
    try:
        decoded.decode()
    except UnicodeDecodeError:
        raise InvalidText(f"The {where} is not UTF-8") from None


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
