"""Tokens a service presents when it calls another one.

Source: RFC 6749 section 4.4 (client credentials).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote_plus

import httpx
from pydantic import BaseModel, ValidationError

from indigo_kernel.clock import Clock
from indigo_kernel.problems import Unavailable, Upstream

_RENEW_BEFORE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An access token and how long it counts from when it was asked for."""

    value: str
    lifetime: timedelta


TokenSource = Callable[[], Awaitable[IssuedToken]]
"""Asks an issuer for a token. Raises ``Unavailable`` or ``Upstream`` when it gives none."""


class ServiceTokens(httpx.Auth):
    """Puts a service's own token on each request, and renews it before it ends.

    One object per called service: a token is meant for one audience and must not reach another.
    """

    def __init__(self, source: TokenSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._token: str | None = None
        self._renew_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """A token that still counts for a while; asks the issuer when there is none."""
        async with self._lock:  # many callers, one question to the issuer
            asked_at = self._clock.now()
            if self._token is None or self._renew_at is None or asked_at >= self._renew_at:
                issued = await self._source()
                self._token = issued.value
                # a short-lived token is used for most of its life, not thrown away at once
                self._renew_at = asked_at + issued.lifetime - min(_RENEW_BEFORE, issued.lifetime / 4)
            return self._token

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = await self.token()
        request.headers["authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED and token == self._token:
            self._token = None  # the issuer may have changed its keys: the next call asks again

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        raise RuntimeError(f"service tokens need an asynchronous client, for {request.url}")


class _TokenAnswer(BaseModel):
    access_token: str
    token_type: str
    expires_in: int = 300


def client_credentials(
    http: httpx.AsyncClient,
    token_url: str,
    *,
    client_id: str,
    client_secret: str,
    scopes: Collection[str],
    audience: str,
) -> TokenSource:
    """A source that asks ``token_url`` with a client id and secret (HTTP Basic, RFC 6749 section 2.3.1)."""
    form = {"grant_type": "client_credentials", "scope": " ".join(sorted(scopes)), "audience": audience}

    async def ask() -> IssuedToken:
        try:
            response = await http.post(
                token_url, data=form, auth=_basic(client_id, client_secret), follow_redirects=False
            )
        except httpx.HTTPError as error:
            raise Unavailable("The token endpoint cannot be reached now") from error
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Unavailable(f"The token endpoint answered {response.status_code}")
        if response.status_code != httpx.codes.OK:
            raise Upstream(f"The token endpoint refused this service: {response.status_code}")
        return _read(response.content)

    return ask


def _read(body: bytes) -> IssuedToken:
    try:
        answer = _TokenAnswer.model_validate_json(body)
    except ValidationError as error:
        raise Upstream("The token endpoint answered with something that is not a token") from error
    if answer.token_type.lower() != "bearer" or answer.expires_in <= 0:
        raise Upstream("The token endpoint answered with a token that cannot be used")
    return IssuedToken(answer.access_token, timedelta(seconds=answer.expires_in))


def _basic(client_id: str, client_secret: str) -> httpx.BasicAuth:
    """Both halves are form-encoded before they are joined, so that a colon in one cannot move the border."""
    return httpx.BasicAuth(quote_plus(client_id), quote_plus(client_secret))
