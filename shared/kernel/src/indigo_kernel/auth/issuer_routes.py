"""The development issuer over HTTP: metadata, keys, and tokens for services.

Sources: OpenID Connect Discovery 1.0, RFC 6749 sections 2.3.1, 4.4 and 5.
"""

from __future__ import annotations

import base64
import hmac
from typing import Literal
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from indigo_kernel.auth.issuer import ALGORITHM, DEFAULT_TTL, DevIssuer
from indigo_kernel.auth.tokens import ANY_AUDIENCE
from indigo_kernel.problems import TooLarge

_MAX_FORM_BYTES = 16 * 1024


class IssuerMetadata(BaseModel):
    """The members of the discovery document that say something about this issuer."""

    issuer: str
    jwks_uri: str
    token_endpoint: str
    grant_types_supported: list[str] = ["client_credentials"]
    response_types_supported: list[str] = []
    subject_types_supported: list[str] = ["public"]
    id_token_signing_alg_values_supported: list[str] = [ALGORITHM]
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic", "client_secret_post"]


class JsonWebKey(BaseModel):
    """A public key (RFC 7517)."""

    model_config = ConfigDict(extra="allow")

    kty: str
    kid: str


class JsonWebKeySet(BaseModel):
    keys: list[JsonWebKey]


class TokenAnswer(BaseModel):
    """RFC 6749 section 5.1."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int
    scope: str


class TokenRefusal(BaseModel):
    """RFC 6749 section 5.2."""

    error: Literal["invalid_request", "invalid_client", "invalid_scope", "unsupported_grant_type"]
    error_description: str


class _RefusalError(Exception):
    def __init__(self, refusal: TokenRefusal) -> None:
        super().__init__(refusal.error)
        self.refusal = refusal


def issuer_routes(issuer: DevIssuer) -> APIRouter:
    """The routes of ``issuer``, to be mounted at the path of its ``issuer_url``."""
    routes = APIRouter(tags=["issuer"])
    base = issuer.issuer_url.rstrip("/")

    @routes.get("/.well-known/openid-configuration", operation_id="issuer_get_metadata")
    async def metadata() -> IssuerMetadata:
        return IssuerMetadata(issuer=issuer.issuer_url, jwks_uri=f"{base}/jwks", token_endpoint=f"{base}/token")

    @routes.get("/jwks", operation_id="issuer_list_keys")
    async def keys() -> JsonWebKeySet:
        return JsonWebKeySet.model_validate(issuer.jwks())

    @routes.post(
        "/token",
        operation_id="issuer_create_token",
        responses={400: {"model": TokenRefusal}, 401: {"model": TokenRefusal}},
    )
    async def token(request: Request, response: Response) -> TokenAnswer | TokenRefusal:
        """A token for a known service in its own name (``grant_type=client_credentials``)."""
        response.headers["cache-control"] = "no-store"
        try:
            return _grant(issuer, await _form(request), request.headers.get("authorization"))
        except _RefusalError as error:
            response.status_code = 400
            if error.refusal.error == "invalid_client":
                response.status_code = 401
                response.headers["www-authenticate"] = 'Basic realm="token"'
            return error.refusal

    return routes


def _grant(issuer: DevIssuer, form: dict[str, str], authorization: str | None) -> TokenAnswer:
    client_id, secret = _credentials(form, authorization)
    client = issuer.clients.get(client_id)
    if client is None or not hmac.compare_digest(client.secret.encode(), secret.encode()):
        raise _refused("invalid_client", "the client is not known, or its secret is another one")
    if form.get("grant_type") != "client_credentials":
        raise _refused("unsupported_grant_type", "only client_credentials is granted here")
    scopes = frozenset(form.get("scope", "").split()) or client.scopes
    if not scopes <= client.scopes:
        raise _refused("invalid_scope", "the client may not have these scopes")
    value = issuer.token(client_id, scopes, audience=form.get("audience", ANY_AUDIENCE))
    return TokenAnswer(
        access_token=value, expires_in=int(DEFAULT_TTL.total_seconds()), scope=" ".join(sorted(scopes))
    )


def _credentials(form: dict[str, str], authorization: str | None) -> tuple[str, str]:
    if authorization is None:
        return form.get("client_id", ""), form.get("client_secret", "")
    if "client_secret" in form:
        raise _refused("invalid_request", "a client authenticates in one way, not in two")
    scheme, _, encoded = authorization.partition(" ")
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode() if scheme.lower() == "basic" else ""
    except ValueError as error:
        raise _refused("invalid_client", "the Authorization header cannot be read") from error
    client_id, _, secret = pair.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            raise TooLarge(f"A token request has at most {_MAX_FORM_BYTES} bytes")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise _refused("invalid_request", "the body is not a form") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise _refused("invalid_request", "a parameter is given twice")
    return form


def _refused(
    error: Literal["invalid_request", "invalid_client", "invalid_scope", "unsupported_grant_type"],
    description: str,
) -> _RefusalError:
    return _RefusalError(TokenRefusal(error=error, error_description=description))
