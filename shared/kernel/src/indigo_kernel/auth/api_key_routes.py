"""The owner's own API keys over HTTP: make, list, revoke."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from indigo_kernel.auth.api_keys import ApiKeyInfo, ApiKeys
from indigo_kernel.auth.dependency import Who
from indigo_kernel.problems import NotFound, Unauthenticated


class NewApiKey(BaseModel):
    """What a key shall be allowed to do, and until when."""

    model_config = ConfigDict(extra="forbid")

    scopes: list[Annotated[str, Field(min_length=1, max_length=1024)]] = Field(
        min_length=1, max_length=64, description="Each one a scope of the token that makes the key."
    )
    expires_at: AwareDatetime = Field(description="At most a year away.")
    note: str = Field(default="", max_length=200, description="What the key is for, in the owner's words.")


class ApiKeyView(BaseModel):
    """A key without its secret."""

    id: str
    prefix: str = Field(description="The characters between the underscores, to recognize the key by.")
    scopes: list[str]
    note: str
    created_at: AwareDatetime
    expires_at: AwareDatetime
    last_used_at: AwareDatetime | None = Field(description="To the minute.")


class CreatedApiKey(ApiKeyView):
    """A key just made: the only time ``key`` is seen."""

    key: str


class ApiKeyList(BaseModel):
    """The keys that still count, newest first; there are never so many that pages are needed."""

    items: list[ApiKeyView]


def api_key_routes(service: str) -> APIRouter:
    """The ``/api-keys`` routes; ``service`` begins their operation ids.

    They use ``app.state.authenticator.api_keys`` and answer 404 where a service has none.
    """
    routes = APIRouter(tags=["api-keys"])

    @routes.post("/api-keys", status_code=201, operation_id=f"{service}_create_api_key")
    async def create(request: Request, response: Response, body: NewApiKey, who: Who) -> CreatedApiKey:
        """Make a key. The answer is the only place where it is ever shown."""
        info, key = await _keys(request).create(
            who, scopes=body.scopes, expires_at=body.expires_at, note=body.note
        )
        response.headers["cache-control"] = "no-store"
        response.headers["location"] = f"{request.url.path.rstrip('/')}/{info.id}"
        return CreatedApiKey(**_view(info).model_dump(), key=key)

    @routes.get("/api-keys", operation_id=f"{service}_list_api_keys")
    async def list_own(request: Request, who: Who) -> ApiKeyList:
        """Your own keys."""
        if who.anonymous:
            raise Unauthenticated("Whose keys? A token is needed")
        return ApiKeyList(items=[_view(info) for info in await _keys(request).live(who)])

    @routes.delete("/api-keys/{key_id}", status_code=204, operation_id=f"{service}_revoke_api_key")
    async def revoke(request: Request, key_id: Annotated[str, Path(max_length=64)], who: Who) -> None:
        """End one of your own keys at once."""
        if who.anonymous:
            raise Unauthenticated("Whose key? A token is needed")
        await _keys(request).revoke(who, key_id)

    return routes


def _keys(request: Request) -> ApiKeys:
    keys: ApiKeys | None = request.app.state.authenticator.api_keys
    if keys is None:
        raise NotFound("This service has no API keys")
    return keys


def _view(info: ApiKeyInfo) -> ApiKeyView:
    return ApiKeyView(
        id=info.id,
        prefix=info.prefix,
        scopes=list(info.scopes),
        note=info.note,
        created_at=info.created_at,
        expires_at=info.expires_at,
        last_used_at=info.last_used_at,
    )
