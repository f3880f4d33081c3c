"""From a request to the principal: the FastAPI dependencies every route uses.

Sources: RFC 6750 section 2.1 (the header) and section 3 (the challenges), RFC 7617 (Basic, where allowed).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from indigo_kernel.auth.api_keys import ApiKeys, looks_like_api_key
from indigo_kernel.auth.principal import ANONYMOUS, Principal
from indigo_kernel.auth.tokens import InvalidToken, TokenVerifier
from indigo_kernel.problems import BadRequest, Unauthenticated

SECURITY_SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An OIDC access token of a trusted issuer, or an API key.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "An API key made at /api-keys.",
    },
}
"""OpenAPI security schemes of every route that depends on ``principal`` (``http.openapi`` writes them)."""


class Authenticator:
    """What a service checks credentials with; lives at ``app.state.authenticator``."""

    def __init__(self, verifier: TokenVerifier, api_keys: ApiKeys | None = None, *, basic: bool = False) -> None:
        """Without ``api_keys`` the service knows tokens only; with ``basic`` keys may be Basic passwords."""
        self.verifier = verifier
        self.api_keys = api_keys
        self.allows_basic = basic

    async def bearer(self, credential: str) -> Principal:
        """The principal of a token or an API key. Raises ``InvalidToken`` (401) or ``Unavailable`` (503)."""
        if looks_like_api_key(credential):
            return await self.api_key(credential)
        return await self.verifier.verify(credential)

    async def api_key(self, key: str) -> Principal:
        """The principal of an API key. Raises ``InvalidToken`` (401)."""
        if self.api_keys is None:
            raise InvalidToken("API keys are not in use here")
        return await self.api_keys.authenticate(key)

    async def basic(self, encoded: str) -> Principal:
        """The principal of Basic credentials (RFC 7617): the password is an API key, percent-encoded or not.

        The user name says nothing: the key belongs to somebody. Raises ``InvalidToken`` (401).
        """
        try:
            _, _, password = base64.b64decode(encoded, validate=True).decode().rpartition(":")
        except (binascii.Error, ValueError):
            password = ""
        return await self.api_key(unquote(password))


async def authenticate(connection: HTTPConnection) -> Principal:
    """Who is asking. A request without credentials is anonymous; one with bad credentials is refused.

    Raises ``BadRequest`` (400) for more than one credential, ``Unauthenticated`` (401) for one that does
    not count or of a scheme not in use here, ``Unavailable`` (503) when it cannot be checked now.
    """
    authenticator: Authenticator = connection.app.state.authenticator
    bearers = connection.headers.getlist("authorization")
    keys = connection.headers.getlist("x-api-key")
    if len(bearers) + len(keys) > 1:
        raise BadRequest(
            "A request comes with one credential, in Authorization or in X-API-Key",
            headers={"www-authenticate": 'Bearer error="invalid_request"'},
        )
    if keys:
        return await authenticator.api_key(keys[0].strip())
    if not bearers:
        return ANONYMOUS
    scheme, _, credential = bearers[0].strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return await authenticator.bearer(credential.strip())
        case "basic" if authenticator.allows_basic:
            return await authenticator.basic(credential.strip())
    known = "schemes Bearer and Basic are" if authenticator.allows_basic else "scheme Bearer is"
    raise Unauthenticated(f"Only the {known} in use here")


async def principal(request: Request) -> Principal:
    """The dependency for routes that anonymous requests may reach; see ``authenticate``."""
    return await authenticate(request)


Who = Annotated[Principal, Depends(principal)]
"""Annotation for a route parameter: the principal, possibly anonymous."""


def require(scope: str) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency that lets only principals with ``scope`` pass, and gives the route the principal."""

    async def with_scope(who: Who) -> Principal:
        who.require(scope)
        return who

    return with_scope
