"""One storage system behind HTTP: what it answers badly, late or not at all becomes an error callers know."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import httpx
from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.adapters.doubt import Doubt
from indigo_qos_gateway.domain.errors import ObjectNotFound

SECONDS = 30.0
"""How long a system may be silent."""

MOST_BYTES = 32 << 20
"""Of an answer that is read as a whole: listings and documents, not files."""

_TIMES = 10
"""How many times as long an answer may take that comes in drops."""
_REDIRECTS = 3
_RETRY_DIGITS = 5
_SIZE_DIGITS = 18
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)


class Remote:
    """Requests to one system. ``name`` is that of the back-end, for messages.

    Redirects are followed for the bytes of files alone (``stream``), and the credentials stay behind when one
    leads to another host. A system that did not answer the last time is tried by one caller at a time.
    """

    def __init__(
        self,
        name: str,
        *,
        auth: httpx.Auth | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        seconds: float = SECONDS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.name = name
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._auth = auth
        self._doubt = Doubt(name)
        # An answer in few bytes that become many could not be bounded while it is unpacked.
        identity = {"accept-encoding": "identity"}
        self._http = httpx.AsyncClient(transport=transport, timeout=seconds, headers=identity)

    async def send(
        self, method: str, url: str, *, path: str | None = None, also: Collection[int] = (), **request: Any
    ) -> httpx.Response:
        """The answer, when it is a success or one of ``also``.

        Raises ``ObjectNotFound`` for a 404 when ``path`` says what was asked for, else ``Unavailable``.
        """
        sending = self._http.build_request(method, url, **request)
        # How long a file takes to be sent is up to its size: others do not wait for how that ends.
        sized = isinstance(request.get("content"), AsyncIterator)
        try:
            with nullcontext() if sized else self._doubt.asking():
                async with _timeouts(None if sized else self._seconds * _TIMES):
                    response = await self._whole(await self._http.send(sending, auth=self._auth, stream=True))
        except TimeoutError:
            raise Unavailable(f"{self.name} did not answer in time") from None
        except httpx.HTTPError as error:
            raise self._silent(error) from None
        self._check(response, path, also)
        return response

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, path: str | None = None, also: Collection[int] = (), **request: Any
    ) -> AsyncIterator[httpx.Response]:
        """The same with a body that is read in the block."""
        sending = self._http.build_request(method, url, **request)
        try:
            with self._doubt.asking():
                async with _timeouts(self._seconds * _TIMES):
                    response = await self._found(sending)
        except TimeoutError:
            raise Unavailable(f"{self.name} did not answer in time") from None
        except httpx.HTTPError as error:
            raise self._silent(error) from None
        try:
            if not response.is_success:
                response = await self._whole(response)
            self._check(response, path, also)
            yield response
        except httpx.HTTPError as error:
            raise self._silent(error) from None
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._http.aclose()

    def document(self, response: httpx.Response) -> dict[str, Any]:
        """The JSON object of an answer. Raises ``Unavailable`` for anything else."""
        found = self.json(response)
        if not isinstance(found, dict):
            raise self.strange(response)
        return found

    def json(self, response: httpx.Response) -> Any:
        """The JSON of an answer. Raises ``Unavailable`` when it is none."""
        try:
            return response.json()
        except (ValueError, RecursionError):  # also for a number with too many digits
            raise self.strange(response) from None

    def strange(self, response: httpx.Response) -> Unavailable:
        """The error for an answer nobody can make sense of."""
        return Unavailable(
            f"{self.name} answered {response.status_code} to {response.request.method} with something unexpected"
        )

    async def _found(self, sending: httpx.Request) -> httpx.Response:
        """The answer at the end of redirects, as doors give them to those who ask for a file's bytes."""
        home = _origin(sending.url)
        for _ in range(_REDIRECTS):
            auth = self._auth if _origin(sending.url) == home else None
            response = await self._http.send(sending, auth=auth, stream=True)
            if response.next_request is None or sending.method not in {"GET", "HEAD"}:
                return response
            await response.aclose()
            following = response.next_request
            if following.url.scheme not in {"http", "https"}:
                raise self.strange(response)
            for header in ("authorization", "token", "x-auth-token", "cookie"):
                following.headers.pop(header, None)
            sending = following
        raise Unavailable(f"{self.name} redirects more than {_REDIRECTS} times")

    async def _whole(self, response: httpx.Response) -> httpx.Response:
        """The answer with its body, or without one in an encoding nobody asked for.

        Raises ``Unavailable`` for one that is too large.
        """
        body = bytearray()
        plain = response.headers.get("content-encoding", "identity").strip().lower() in {"", "identity"}
        try:
            if plain:
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > self._most_bytes:
                        raise Unavailable(f"{self.name} answered with more than {self._most_bytes} bytes")
        finally:
            await response.aclose()
        headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"transfer-encoding"]
        return httpx.Response(response.status_code, headers=headers, content=bytes(body), request=response.request)

    def _check(self, response: httpx.Response, path: str | None, also: Collection[int]) -> None:
        if response.is_success or response.status_code in also:
            return
        if response.status_code == httpx.codes.NOT_FOUND and path is not None:
            raise ObjectNotFound(path)
        if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise Unavailable(f"{self.name} does not accept the gateway's credentials")
        retry = response.headers.get("retry-after", "")
        known = retry.isascii() and retry.isdigit() and len(retry) <= _RETRY_DIGITS
        raise Unavailable(
            f"{self.name} answered {response.status_code} to {response.request.method}",
            headers={"retry-after": retry} if known else None,
        )

    def _silent(self, error: httpx.HTTPError) -> Unavailable:
        """Without the cause: it may name addresses and headers."""
        return Unavailable(f"{self.name} did not answer: {type(error).__name__}")


def natural(text: str) -> int:
    """A number of bytes in an answer. Raises ``ValueError`` for anything but digits."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _SIZE_DIGITS):
        raise ValueError("no number of bytes")
    return int(text)


async def part_of(name: str, response: httpx.Response, start: int, stop: int | None) -> AsyncIterator[bytes]:
    """The bytes of a file from ``start`` up to ``stop`` out of the answer to a GET for them, as they are stored.

    A system may give the whole file instead (RFC 9110, 14.2), and says the encoding of a file that was stored
    compressed. Raises ``Unavailable`` for another part.
    """
    at = 0 if response.status_code == httpx.codes.OK else _first(response, start, stop)
    if at is None:
        raise Unavailable(f"{name} gave something else than the part of a file it was asked for")
    async for chunk in response.aiter_raw():
        wanted = chunk[max(start - at, 0) : None if stop is None else max(stop - at, 0)]
        at += len(chunk)
        if wanted:
            yield wanted
        if stop is not None and at >= stop:
            return


def _first(response: httpx.Response, start: int, stop: int | None) -> int | None:
    """Where a part begins; ``None`` unless it is all that was asked for."""
    told = _RANGE.fullmatch(response.headers.get("content-range", ""))
    if response.status_code != httpx.codes.PARTIAL_CONTENT or told is None:
        return None
    first, end = int(told[1]), int(told[2]) + 1
    ends = [each for each in (stop, None if told[3] == "*" else int(told[3])) if each is not None]
    return first if first == start and end >= min(ends, default=end) else None


@asynccontextmanager
async def _timeouts(seconds: float | None) -> AsyncIterator[None]:
    """One kind of error for every answer that does not come in time."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except httpx.TimeoutException:
        raise TimeoutError from None


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
