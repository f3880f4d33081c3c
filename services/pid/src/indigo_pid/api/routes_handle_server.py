"""What clients of a handle server ask it before they begin: where it is, and who they are to it.

Source: Handle.Net technical manual (version 9), chapter 14 (``/api/site``, ``/api/sessions``). A session of such a
server proves a key step by step. Here every request carries its credentials, Basic with an API key or a bearer
token, so there is nothing to prove and nothing to keep: a session says what those credentials are worth.
"""

from __future__ import annotations

import base64
import secrets
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from indigo_kernel.auth.principal import Principal
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from indigo_pid.api.deps import Deps
from indigo_pid.api.handle_answers import ERRORS, UNAUTHENTICATED, Refusal, handle_principal, refusal

_PROOFS = "Handle "
_HOW = "Keys are not proven here: send Basic with an API key as the password, or a bearer token"


class HandleInterface(BaseModel):
    """A way to talk to the server."""

    model_config = ConfigDict(frozen=True)

    query: bool = True
    admin: bool = True
    protocol: str
    port: int


class HandleServer(BaseModel):
    """The server of a site."""

    model_config = ConfigDict(frozen=True)

    serverId: int = 1  # noqa: N815 - the names in the Handle REST API
    address: str
    interfaces: list[HandleInterface]


class SiteAttribute(BaseModel):
    """Something else about a site."""

    model_config = ConfigDict(frozen=True)

    name: str
    value: str


class HandleSite(BaseModel):
    """A site of the Handle System (RFC 3651, section 3.2.2), as JSON."""

    model_config = ConfigDict(frozen=True)

    version: int = 1
    protocolVersion: str = "2.11"  # noqa: N815
    serialNumber: int = 1  # noqa: N815
    primarySite: bool = True  # noqa: N815
    multiPrimary: bool = False  # noqa: N815
    attributes: list[SiteAttribute]
    servers: list[HandleServer]


class HandleSession(BaseModel):
    """Who the request is from. ``sessionId`` and ``nonce`` are there for clients that look for them."""

    model_config = ConfigDict(frozen=True)

    sessionId: str  # noqa: N815
    nonce: str = Field(description="random bytes, Base64")
    authenticated: bool
    id: str | None = Field(default=None, description="who the credentials belong to")


async def _principal(request: Request) -> Principal:
    if request.headers.get("authorization", "").startswith(_PROOFS):
        raise Refusal(refusal(401, UNAUTHENTICATED, "", _HOW))
    return await handle_principal(request)


_Who = Annotated[Principal, Depends(_principal)]


def handle_server_routes(deps: Deps) -> APIRouter:
    """The routes ``/api/site`` and ``/api/sessions``."""
    router = APIRouter(prefix="/api", tags=["handles"])
    site = _site(deps.rules.naming.base_url)

    @router.get("/site")
    async def read_handle_site() -> HandleSite:
        """Where this handle server is, and how to talk to it."""
        return site

    @router.post("/sessions", status_code=201, response_model_exclude_none=True, responses=ERRORS)
    async def begin_handle_session(who: _Who) -> HandleSession:
        """A session, which says what the credentials of this request are worth. Nothing is kept."""
        return _session(who)

    @router.get("/sessions/this", response_model_exclude_none=True, responses=ERRORS)
    async def read_handle_session(who: _Who) -> HandleSession:
        """What the credentials of this request are worth."""
        return _session(who)

    @router.put("/sessions/this", response_model_exclude_none=True, responses=ERRORS)
    async def prove_handle_session(who: _Who) -> HandleSession:
        """The same for those who mean to log in: without credentials it is a 401."""
        if who.anonymous:
            raise Refusal(refusal(401, UNAUTHENTICATED, "", _HOW))
        return _session(who)

    @router.delete("/sessions/this", status_code=204)
    async def end_handle_session() -> Response:
        """The end of a session, of which nothing was kept."""
        return Response(status_code=204)

    return router


def _session(who: Principal) -> HandleSession:
    return HandleSession(
        sessionId=secrets.token_hex(16),
        nonce=base64.b64encode(secrets.token_bytes(16)).decode(),
        authenticated=who.is_authenticated,
        id=None if who.anonymous else who.sub,
    )


def _site(base_url: str) -> HandleSite:
    parts = urlsplit(base_url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    interface = HandleInterface(protocol="HTTPS" if secure else "HTTP", port=port)
    return HandleSite(
        attributes=[SiteAttribute(name="desc", value="INDIGO persistent identifiers")],
        servers=[HandleServer(address=parts.hostname or "", interfaces=[interface])],
    )
