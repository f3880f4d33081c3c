"""Bearer tokens: from the text in the header to the principal, or to the reason why not.

Sources: RFC 6750 (bearer tokens), RFC 7519 (JWT), RFC 9068 (JWT access tokens), RFC 8725 (best
practice), WLCG Common JWT Profile 1.3.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx

from indigo_kernel.auth.groups import groups_of
from indigo_kernel.auth.issuers import IssuerKeys, TrustedIssuer
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import MalformedScopeError, covers, parse_storage_scope
from indigo_kernel.auth.signatures import MalformedTokenError, take_apart
from indigo_kernel.clock import Clock
from indigo_kernel.problems import Unauthenticated

ANY_AUDIENCE = "https://wlcg.cern.ch/jwt/v1/any"
"""The audience of a token meant for everyone who trusts its issuer (WLCG profile)."""

LEEWAY = timedelta(seconds=60)
"""How far two clocks may be apart."""
MAX_TOKEN_BYTES = 16 * 1024
CACHE_FOR = timedelta(seconds=60)
"""A token found good is not looked at again for this long; a withdrawn key counts that much longer."""
CACHE_SIZE = 4096

_TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt"})
_WLCG_VERSION = re.compile(r"1\.[0-9]{1,3}")
_MAX_NAME = 1024


class InvalidToken(Unauthenticated):
    """A token that does not count (RFC 6750 section 3.1, ``invalid_token``).

    ``reason`` goes into a header: plain ASCII without quotes, and nothing out of the token.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The token cannot be accepted: {reason}")
        self.headers = {"www-authenticate": f'Bearer error="invalid_token", error_description="{reason}"'}


class TokenVerifier:
    """Checks tokens of the trusted issuers, locally, with their public keys.

    ``audience`` is what this service is called in ``aud``; one of several names is enough. ``http``
    fetches the keys of issuers that are not configured with them, and is not closed here.
    """

    def __init__(
        self,
        issuers: Sequence[TrustedIssuer],
        audience: str | Sequence[str],
        clock: Clock,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """Raises ``ValueError`` when an issuer is named twice, or its keys can be had in no way."""
        self._issuers = {trusted.issuer: IssuerKeys(trusted, clock, http) for trusted in issuers}
        if len(self._issuers) != len(issuers):
            raise ValueError("an issuer is configured twice")
        ours = [audience] if isinstance(audience, str) else audience
        self._audience = frozenset((*ours, ANY_AUDIENCE))
        self._clock = clock
        self._verified: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """The principal ``token`` speaks for.

        Raises ``InvalidToken`` (401) when it does not count, ``Unavailable`` (503) when the issuer's keys
        cannot be had.
        """
        if len(token) > MAX_TOKEN_BYTES:
            raise InvalidToken("it is too large")
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        now = self._clock.now().timestamp()
        cached = self._verified.get(digest)
        if cached is not None and now < cached[0]:
            self._verified.move_to_end(digest)
            return cached[1]
        principal, expires = await self._examine(token)
        self._verified[digest] = (min(now + CACHE_FOR.total_seconds(), expires), principal)
        self._verified.move_to_end(digest)
        if len(self._verified) > CACHE_SIZE:
            self._verified.popitem(last=False)
        return principal

    async def _examine(self, token: str) -> tuple[Principal, float]:
        """The principal and the second from which on the token no longer counts."""
        try:
            parts = take_apart(token)
        except MalformedTokenError as error:
            raise InvalidToken(str(error)) from error
        if parts.typ is not None and parts.typ.lower() not in _TYPES:
            raise InvalidToken("it is not an access token")
        claims = _json_object(parts.payload)
        issuer = claims.get("iss")
        keys = self._issuers.get(issuer) if isinstance(issuer, str) else None
        if keys is None:
            raise InvalidToken("its issuer is not trusted")
        named = await keys.named(parts.kid)
        if not any(key.verifies(parts) for key in named):
            raise InvalidToken("its signature is not from a key of its issuer")
        expires = self._check_times(claims)
        self._check_audience(claims)
        _check_profile(claims)
        return _principal(keys, claims), expires

    def _check_times(self, claims: dict[str, Any]) -> float:
        now, leeway = self._clock.now().timestamp(), LEEWAY.total_seconds()
        expires = _instant(claims, "exp")
        if expires is None:
            raise InvalidToken("it has no exp")
        if now >= expires + leeway:
            raise InvalidToken("it has expired")
        for claim in ("nbf", "iat"):
            instant = _instant(claims, claim)
            if instant is not None and now < instant - leeway:
                raise InvalidToken("it is not valid yet")
        return expires + leeway

    def _check_audience(self, claims: dict[str, Any]) -> None:
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        if not all(isinstance(name, str) for name in named):
            raise InvalidToken("its aud is missing or of the wrong type")
        if self._audience.isdisjoint(named):
            raise InvalidToken("it is meant for another service")


def _json_object(payload: bytes) -> dict[str, Any]:
    try:
        claims = json.loads(payload.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidToken("its claims are not JSON") from error
    if not isinstance(claims, dict):
        raise InvalidToken("its claims are not an object")
    return claims


def _instant(claims: dict[str, Any], name: str) -> float | None:
    """A NumericDate (RFC 7519 section 2), in seconds."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken(f"its {name} is not a number")
    try:
        instant = float(value)
    except OverflowError as error:
        raise InvalidToken(f"its {name} is not a number of seconds") from error
    if not math.isfinite(instant):
        raise InvalidToken(f"its {name} is not a number of seconds")
    return instant


def _check_profile(claims: dict[str, Any]) -> None:
    version = claims.get("wlcg.ver")
    if version is None:
        return
    if not isinstance(version, str) or not _WLCG_VERSION.fullmatch(version):
        raise InvalidToken("its wlcg.ver is not known")


def _principal(issuer: IssuerKeys, claims: dict[str, Any]) -> Principal:
    subject = _text(claims.get("sub"))
    if subject is None:
        raise InvalidToken("its sub is missing or unusable")
    scopes = _scopes(claims.get("scope"))
    if issuer.scopes is not None:
        scopes = frozenset(scope for scope in scopes if covers(issuer.scopes, scope))
    return Principal(
        iss=issuer.issuer,
        sub=subject,
        scopes=scopes,
        groups=groups_of(claims),
        via="token",
        name=_text(claims.get("name")),
        email=_text(claims.get("email")),
    )


def _scopes(claim: object) -> frozenset[str]:
    """The scopes of a space-separated list (RFC 8693 section 4.2)."""
    if claim is None:
        return frozenset()
    if not isinstance(claim, str) or not claim.isascii() or not claim.isprintable():
        raise InvalidToken("its scope is not a list of words")
    scopes = frozenset(claim.split(" ")) - {""}
    for scope in scopes:
        try:
            parse_storage_scope(scope)
        except MalformedScopeError as error:
            raise InvalidToken("one of its storage scopes has no usable path") from error
    return scopes


def _text(claim: object) -> str | None:
    """A claim as text that can be stored and shown; ``None`` when it is not."""
    if isinstance(claim, str) and 0 < len(claim) <= _MAX_NAME and claim.isprintable():
        return claim
    return None
