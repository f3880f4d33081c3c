"""Requests to URLs that users give: webhooks, landing pages, files elsewhere.

A user may name any host, and the host's owner decides where it resolves to, now and a second later. So
each hop resolves the name once, checks every address, and connects to a checked address itself.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from types import TracebackType
from typing import Self

import httpx

from indigo_kernel.http.addresses import Network, may_reach
from indigo_kernel.problems import BadRequest, Upstream

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host name and port → IP addresses as text. Raises ``OSError`` when there are none."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PRIVATE_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
_HOST = re.compile(rb"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
"""Names (internationalized ones in their ASCII form) and addresses; no percent escapes, no zone ids."""

_CHUNK_BYTES = 64 * 1024


class UrlRefused(BadRequest):
    """The URL, or one it redirects to, leads where no request may go."""


class FetchFailed(Upstream):
    """The other side did not answer, not in time, or with more than was allowed."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What a guarded client may do. ``seconds`` bounds a whole exchange, redirects and body included.

    ``allow_private`` are networks an operator opens, for closed sites; ``tls`` replaces the public authorities.
    """

    ports: frozenset[int] = frozenset({80, 443})
    allow_private: tuple[Network, ...] = ()
    max_redirects: int = 5
    seconds: float = 30.0
    max_bytes: int = 16 * 1024 * 1024
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole answer. ``url`` is where it came from after redirects."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: str


class Answer:
    """An answer whose body is read as it comes, no more than ``max_bytes`` of it."""

    def __init__(self, response: httpx.Response, url: httpx.URL, max_bytes: int) -> None:
        self._response = response
        self._max_bytes = max_bytes
        self.status = response.status_code
        self.headers = response.headers
        self.url = str(url)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body. Raises ``FetchFailed`` when it is too long or compressed, which was not asked for."""
        if self.headers.get("content-encoding", "identity").strip().lower() != "identity":
            # A few bytes can unpack to gigabytes.
            raise FetchFailed(f"{self.url} sent a compressed body although none was asked for")
        size = 0
        async for chunk in self._response.aiter_raw(_CHUNK_BYTES):
            size += len(chunk)
            if size > self._max_bytes:
                raise FetchFailed(f"{self.url} sent more than {self._max_bytes} bytes")
            yield chunk


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """The addresses the operating system knows for ``host``."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class GuardedClient:
    """Fetches URLs from users. Use it as an async context manager, one for the life of a process."""

    def __init__(self, guard: Guard, *, user_agent: str, resolver: Resolver = system_resolver) -> None:
        self._guard = guard
        self._user_agent = user_agent
        self._resolver = resolver
        self._http = httpx.AsyncClient(
            verify=guard.tls or True,
            # Cookies would be kept per address and told to whoever is there next.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,  # a proxy would resolve and connect by itself
            follow_redirects=False,
            timeout=guard.seconds,
            # A kept connection would be found by address and serve another host there, unverified.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._http.__aexit__(exc_type, exc, tb)

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Fetched:
        """The whole answer. Raises ``UrlRefused`` or ``FetchFailed``; an HTTP error status is an answer."""
        async with self.stream(url, method=method, headers=headers, content=content) as answer:
            body = b"".join([chunk async for chunk in answer.chunks()])
            return Fetched(answer.status, answer.headers, body, answer.url)

    @asynccontextmanager
    async def stream(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> AsyncIterator[Answer]:
        """The answer with its body still to come. Raises as ``fetch`` does; the time bound covers the block."""
        sent = httpx.Headers(headers)
        sent["accept-encoding"] = "identity"
        sent.setdefault("user-agent", self._user_agent)
        try:
            async with asyncio.timeout(self._guard.seconds) as bound:
                response, final = await self._follow(method, self._parsed(url), sent, content)
                try:
                    yield Answer(response, final, self._guard.max_bytes)
                finally:
                    await response.aclose()
        except TimeoutError:
            if not bound.expired():
                raise
            raise FetchFailed(f"{url} took longer than {self._guard.seconds:g} seconds") from None
        except httpx.HTTPError as error:
            raise FetchFailed(f"{url} cannot be read: {type(error).__name__}") from error

    async def _follow(
        self, method: str, url: httpx.URL, headers: httpx.Headers, content: bytes | None
    ) -> tuple[httpx.Response, httpx.URL]:
        for _ in range(self._guard.max_redirects + 1):
            response = await self._send(method, url, headers, content)
            target = response.headers.get("location")
            if response.status_code not in _REDIRECTS or target is None:
                return response, url
            await response.aclose()
            following = self._parsed(str(url.join(self._parsed_reference(target))))
            if (following.scheme, following.host, following.port) != (url.scheme, url.host, url.port):
                headers = httpx.Headers(
                    [(name, value) for name, value in headers.items() if name not in _PRIVATE_HEADERS]
                )
            # RFC 9110, 15.4: 303 always, 301 and 302 after a POST by custom, turn into a GET.
            if response.status_code == 303 or (response.status_code in {301, 302} and method == "POST"):
                method, content = ("HEAD" if method == "HEAD" else "GET"), None
            url = following
        raise FetchFailed(f"More than {self._guard.max_redirects} redirects, the last one to {url}")

    async def _send(
        self, method: str, url: httpx.URL, headers: httpx.Headers, content: bytes | None
    ) -> httpx.Response:
        host = url.raw_host.decode("ascii")
        port = url.port or (443 if url.scheme == "https" else 80)
        failure: httpx.TransportError | None = None
        for address in await self._addresses(host, port):
            request = self._http.build_request(
                method,
                url.copy_with(host=address),
                headers={**headers, "host": url.netloc.decode("ascii")},
                content=content,
                # The certificate is the name's, not the address's.
                extensions={"sni_hostname": host},
            )
            try:
                return await self._http.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        assert failure is not None
        raise failure

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            found = [str(ip_address(host))]
        except ValueError:
            try:
                found = list(dict.fromkeys(await self._resolver(host, port)))
            except (OSError, UnicodeError):
                found = []
        if not found:
            raise FetchFailed(f"The host {host} cannot be found")
        # One bad address spoils the host: which of them is used next time is not for us to say.
        if not all(may_reach(address, self._guard.allow_private) for address in found):
            raise UrlRefused(f"The host {host} is not on the public Internet")
        return found

    def _parsed(self, url: str) -> httpx.URL:
        parsed = self._parsed_reference(url)
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise UrlRefused("Only http and https URLs with a host are read")
        if not _HOST.fullmatch(parsed.raw_host):
            raise UrlRefused("The host is not a name or an address")
        if parsed.userinfo:
            raise UrlRefused("A URL with a user name or password in it is not read")
        port = parsed.port or (443 if parsed.scheme == "https" else 80)
        if port not in self._guard.ports:
            raise UrlRefused(f"The port {port} is not allowed")
        return parsed.copy_with(fragment=None)

    def _parsed_reference(self, url: str) -> httpx.URL:
        try:
            return httpx.URL(url)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise UrlRefused(f"This is not a URL: {error}") from None
