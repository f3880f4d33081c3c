"""``multipart/mixed`` bodies: JSON first, then values as they are.

Sources: RFC 2046, section 5.1; CDMI 1.1.1, clauses 8.2.6 and 8.3.6.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi import Request, Response
from indigo_kernel.ids import new_id
from indigo_kernel.problems import BadRequest, TooLarge
from starlette.responses import StreamingResponse

from indigo_qos_gateway.api.negotiation import MULTIPART, Dialect

_BOUNDARY = re.compile(r";\s*boundary\s*=\s*(?:\"([^\"\r\n]{1,70})\"|([^\s;\"]{1,70}))", re.IGNORECASE)
_MOST_HEADER_BYTES = 8192
_PLAIN = {"binary", "8bit", "7bit"}


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its headers in lower case, and its bytes as they come in. Read it before the next one."""

    headers: dict[str, str]
    chunks: AsyncIterator[bytes]

    @property
    def media_type(self) -> str:
        """Without parameters; ``text/plain`` when it has none (RFC 2046, section 5.2)."""
        return self.headers.get("content-type", "text/plain").partition(";")[0].strip().lower()

    async def read(self, most: int) -> bytes:
        """All its bytes. Raises ``TooLarge``."""
        body = bytearray()
        async for chunk in self.chunks:
            body += chunk
            if len(body) > most:
                raise TooLarge(f"This part of the body has at most {most} bytes", headers={"connection": "close"})
        return bytes(body)


class Parts:
    """The parts of a request's body, one after the other."""

    def __init__(self, request: Request) -> None:
        """Raises ``BadRequest`` when the content type names no boundary."""
        match = _BOUNDARY.search(request.headers.get("content-type", ""))
        if match is None:
            raise BadRequest(f"{MULTIPART} needs a boundary of at most 70 characters")
        self._delimiter = b"\r\n--" + (match[1] or match[2]).encode("latin-1")
        self._stream = request.stream()
        self._buffer = bytearray(b"\r\n")  # so that the first delimiter is one like the others
        self._ended = False
        self._inside = True

    async def next(self) -> Part | None:
        """The next part; ``None`` behind the last one. Raises ``BadRequest`` for a body that breaks off."""
        if self._inside:
            async for _ in self._until_delimiter():
                pass  # what is before the first part, or was not read of the last one
        if self._ended:
            return None
        await self._need(2)
        if self._buffer.startswith(b"--"):
            self._ended = True
            async for _ in self._stream:
                pass
            return None
        await self._line()
        headers = await self._headers()
        self._inside = True
        coding = headers.get("content-transfer-encoding", "binary").strip().lower()
        if coding not in _PLAIN:
            raise BadRequest(f"A part is sent as it is (binary), not as {coding[:40]}")
        return Part(headers, self._until_delimiter())

    async def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        left = _MOST_HEADER_BYTES
        while line := await self._line():
            left -= len(line)
            name, colon, value = line.partition(b":")
            if not colon or left < 0:
                raise BadRequest("A part begins with headers and an empty line")
            headers[name.decode("latin-1").strip().lower()] = value.decode("latin-1").strip()
        return headers

    async def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            if len(self._buffer) > _MOST_HEADER_BYTES:
                raise BadRequest("A part begins with headers and an empty line")
            await self._more()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return bytes(line)

    async def _until_delimiter(self) -> AsyncIterator[bytes]:
        if self._ended:
            return
        while (at := self._buffer.find(self._delimiter)) < 0:
            sure = len(self._buffer) - len(self._delimiter)
            if sure > 0:
                chunk = bytes(self._buffer[:sure])
                del self._buffer[:sure]
                yield chunk
            await self._more()
        rest = bytes(self._buffer[:at])
        del self._buffer[: at + len(self._delimiter)]
        self._inside = False
        if rest:
            yield rest

    async def _need(self, count: int) -> None:
        while len(self._buffer) < count:
            await self._more()

    async def _more(self) -> None:
        async for chunk in self._stream:
            if chunk:
                self._buffer += chunk
                return
        raise BadRequest("The multipart body breaks off before its last boundary")


def parts_response(
    dialect: Dialect,
    document: bytes,
    cdmi_type: str,
    values: AsyncIterator[tuple[dict[str, str], AsyncIterator[bytes]]],
) -> Response:
    """JSON, then values with their headers."""
    boundary = new_id()

    async def body() -> AsyncIterator[bytes]:
        yield _head(boundary, {"Content-Type": cdmi_type}) + document + b"\r\n"
        async for headers, chunks in values:
            yield _head(boundary, headers | {"Content-Transfer-Encoding": "binary"})
            async for chunk in chunks:
                yield chunk
            yield b"\r\n"
        yield f"--{boundary}--\r\n".encode()

    return StreamingResponse(body(), media_type=f"{MULTIPART}; boundary={boundary}", headers=dialect.headers)


def _head(boundary: str, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"--{boundary}\r\n{lines}\r\n".encode("latin-1")
