"""The issuers that are trusted, and their keys: configured or fetched, cached, kept when the issuer is down.

Sources: OpenID Connect Discovery 1.0 section 4; RFC 8414 section 3.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import structlog

from indigo_kernel.auth.signatures import KeyRing, VerificationKey, key_ring
from indigo_kernel.clock import Clock
from indigo_kernel.problems import Unavailable

REFRESH_AT_MOST_EVERY = timedelta(seconds=60)
"""Between two fetches while there are keys, however many unknown key ids arrive."""
RETRY_EVERY = timedelta(seconds=5)
"""Between two fetches while there are none."""
FRESH_FOR = timedelta(minutes=15)
"""After this the keys are fetched again, so that a withdrawn key stops counting."""
STALE_FOR = timedelta(hours=24)
"""After this, keys of an issuer that cannot be reached no longer count."""
FETCH_TIMEOUT_SECONDS = 5.0
MAX_DOCUMENT_BYTES = 1 << 20

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer whose tokens count. ``issuer`` is compared with ``iss`` letter by letter.

    With ``jwks`` (a JWK set) nothing is fetched. Otherwise the keys come from ``jwks_uri``, or from where
    the issuer's discovery document says; that document may only point to the issuer's own origin, so an
    issuer with its keys elsewhere needs ``jwks_uri``. ``scopes`` are those it may give, storage scopes with
    everything below their paths; all when ``None``. Others in its tokens are as if they were not there.
    """

    issuer: str
    jwks: Mapping[str, Any] | None = None
    jwks_uri: str | None = None
    scopes: frozenset[str] | None = None


class IssuerMetadataError(Exception):
    """The issuer answered with something its keys cannot be taken from."""


@dataclass(slots=True)
class _Fetched:
    ring: KeyRing = field(default_factory=KeyRing)
    succeeded_at: datetime | None = None
    tried_at: datetime | None = None
    failed: bool = False


class IssuerKeys:
    """The keys of one trusted issuer.

    One fetch at a time. A request whose key is known waits for a fetch only when it is the one that
    makes it; the others go on with the keys there are.
    """

    def __init__(self, trusted: TrustedIssuer, clock: Clock, http: httpx.AsyncClient | None) -> None:
        """Raises ``ValueError`` for an unusable ``jwks``, and when keys must be fetched without ``http``."""
        self.issuer = trusted.issuer
        self.scopes = trusted.scopes
        self._trusted = trusted
        self._clock = clock
        self._http = http
        self._static = None if trusted.jwks is None else key_ring(trusted.jwks)
        self._state = _Fetched()
        self._lock = asyncio.Lock()
        if self._static is None and http is None:
            raise ValueError(f"{trusted.issuer} has no configured keys, so an HTTP client is needed")

    async def named(self, kid: str | None) -> list[VerificationKey]:
        """The keys that may verify a token; empty when the issuer has none of that name.

        Raises ``Unavailable`` (503) when that cannot be known because the issuer is out of reach.
        """
        if self._static is not None:
            return self._static.named(kid)
        known = self._usable().named(kid)
        if known:
            if self._aged() and self._may_fetch():
                await self._refresh()
                known = self._usable().named(kid)
        else:
            await self._refresh()
            known = self._usable().named(kid)
        if not known and self._state.failed:
            raise Unavailable("The keys of the token's issuer cannot be had now", headers={"retry-after": "5"})
        return known

    def _age(self) -> timedelta:
        at = self._state.succeeded_at
        return timedelta.max if at is None else self._clock.now() - at

    def _aged(self) -> bool:
        return self._age() >= FRESH_FOR

    def _usable(self) -> KeyRing:
        return self._state.ring if self._age() < STALE_FOR else KeyRing()

    def _may_fetch(self) -> bool:
        if self._state.tried_at is None:
            return True
        pause = REFRESH_AT_MOST_EVERY if self._usable().keys else RETRY_EVERY
        return self._clock.now() - self._state.tried_at >= pause

    async def _refresh(self) -> None:
        async with self._lock:
            if not self._may_fetch():
                return  # somebody else has just done it
            self._state.tried_at = self._clock.now()
            self._state.failed = True  # also when the request that waits here goes away
            try:
                async with asyncio.timeout(FETCH_TIMEOUT_SECONDS):
                    self._state.ring = await self._fetch()
            except (httpx.HTTPError, TimeoutError, IssuerMetadataError) as error:
                log.warning("issuer_keys_not_fetched", issuer=self.issuer, error=repr(error))
            else:
                self._state.failed = False
                self._state.succeeded_at = self._clock.now()

    async def _fetch(self) -> KeyRing:
        uri = self._trusted.jwks_uri or await self._discover()
        try:
            return key_ring(await self._get(uri))
        except ValueError as error:
            raise IssuerMetadataError(f"{uri}: {error}") from error

    async def _discover(self) -> str:
        uri = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = await self._get(uri)
        if document.get("issuer") != self.issuer:
            raise IssuerMetadataError(f"{uri} speaks for another issuer")
        jwks_uri = document.get("jwks_uri")
        if not isinstance(jwks_uri, str) or _origin(jwks_uri) != _origin(self.issuer):
            raise IssuerMetadataError(f"{uri} does not name a jwks_uri on the issuer's own origin")
        return jwks_uri

    async def _get(self, uri: str) -> dict[str, Any]:
        """One JSON object, from exactly this address: no redirect is followed."""
        assert self._http is not None
        body = bytearray()
        async with self._http.stream(
            "GET",
            uri,
            headers={"accept": "application/json", "accept-encoding": "identity"},
            follow_redirects=False,
        ) as response:
            if response.status_code != httpx.codes.OK:
                raise IssuerMetadataError(f"{uri} answered {response.status_code}")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_DOCUMENT_BYTES:
                    raise IssuerMetadataError(f"{uri} is larger than {MAX_DOCUMENT_BYTES} bytes")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise IssuerMetadataError(f"{uri} is not JSON") from error
        if not isinstance(document, dict):
            raise IssuerMetadataError(f"{uri} is not a JSON object")
        return document


def _origin(uri: str) -> tuple[str, str, int | None] | None:
    try:
        url = httpx.URL(uri)
    except httpx.InvalidURL:
        return None
    port = url.port or {"https": 443, "http": 80}.get(url.scheme)
    return (url.scheme, url.host, port) if url.host else None
