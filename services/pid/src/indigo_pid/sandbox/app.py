"""The sandbox's HTTP face: ``/heartbeat`` and ``/dois`` of the DataCite REST API.

An application of its own and not routes of the service: its error bodies are DataCite's.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from indigo_kernel.http.jsontext import check_json
from indigo_kernel.problems import DomainError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse

from indigo_pid.sandbox import documents, states
from indigo_pid.sandbox.documents import MEDIA_TYPE, NOT_FOUND, Answer, invalid, refusal
from indigo_pid.sandbox.names import random_doi
from indigo_pid.sandbox.states import State
from indigo_pid.sandbox.store import SandboxStore, Shelf, Stored

MAX_BODY_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_PAGE = 1000
_USUAL_PAGE = 25
_MOST_PAGED = 10_000
_NO_PAYLOAD = "You need to provide a payload following the JSONAPI spec"
_FORBIDDEN = "You are not authorized to access this resource."
_ALL = frozenset(State)


@dataclass(frozen=True, slots=True)
class Account:
    """The one repository account: its id (compared without case), its password, and its prefixes."""

    repository_id: str
    password: str
    prefixes: frozenset[str]

    def owns(self, doi: str) -> bool:
        return doi.partition("/")[0] in self.prefixes


class SandboxRegistrar:
    """The operations. Each reads a request, works in one transaction, and returns an answer."""

    def __init__(self, store: SandboxStore, account: Account) -> None:
        self._store = store
        self._account = account

    async def create(self, request: Request) -> Response:
        """``POST /dois``: a new DOI, named by ``doi`` or at random below ``prefix``."""
        self._authenticate(request, required=True)
        attributes = await _attributes(request)
        doi = self._new_name(attributes)
        async with self._store.open() as shelf:
            if await shelf.lock(doi) is not None:
                raise invalid(doi, [states.Flaw("doi", "This DOI has already been taken")])
            stored = await self._write(shelf, doi, attributes, None)
        answer = self._document(request, stored, 201)
        answer.headers["location"] = f"{_address(request)}/{doi}"
        return answer

    async def replace(self, request: Request, doi: str) -> Response:
        """``PUT`` and ``PATCH /dois/{doi}``: change it, or create it (201)."""
        self._authenticate(request, required=True)
        attributes = await _attributes(request)
        doi = self._checked_name(doi.lower())
        async with self._store.open() as shelf:
            before = await shelf.lock(doi)
            stored = await self._write(shelf, doi, attributes, before)
        return self._document(request, stored, 201 if before is None else 200)

    async def read(self, request: Request, doi: str) -> Response:
        """``GET /dois/{doi}``: without the account's credentials, only findable ones exist."""
        visible = _ALL if self._authenticate(request) else frozenset({State.FINDABLE})
        async with self._store.open() as shelf:
            stored = await shelf.find(doi.lower())
        if stored is None or stored.state not in visible:
            raise refusal(404, NOT_FOUND)
        return self._document(request, stored, 200)

    async def remove(self, request: Request, doi: str) -> Response:
        """``DELETE /dois/{doi}``: drafts only."""
        self._authenticate(request, required=True)
        doi = doi.lower()
        async with self._store.open() as shelf:
            stored = await shelf.lock(doi)
            if stored is None:
                raise refusal(404, NOT_FOUND)
            if stored.state is not State.DRAFT:
                raise refusal(405, "Method not allowed", headers={"allow": "HEAD, GET, POST, PATCH, PUT, OPTIONS"})
            await shelf.remove(doi)
        return Response(status_code=204)

    async def listing(self, request: Request) -> Response:
        """``GET /dois``: numbered pages, filtered by ``state`` and ``prefix``."""
        visible = _ALL if self._authenticate(request) else frozenset({State.FINDABLE})
        asked = request.query_params.get("state")
        wanted = visible if asked is None else frozenset(one for one in visible if one.value in asked.split(","))
        size = _number(request, "page[size]", _USUAL_PAGE, MAX_PAGE)
        cursor = request.query_params.get("page[cursor]")
        if cursor is not None:
            return await self._after(request, cursor, wanted, size)
        number = max(1, min(_number(request, "page[number]", 1, _MOST_PAGED), _MOST_PAGED // max(size, 1)))
        async with self._store.open() as shelf:
            found, total = await shelf.page(
                states=wanted, prefix=request.query_params.get("prefix"), skip=(number - 1) * size, size=size
            )
        pages = -(-total // size) if size else 0
        links = {"self": str(request.url)}
        if number < pages:
            query = {**request.query_params, "page[number]": str(number + 1), "page[size]": str(size)}
            links["next"] = f"{_address(request)}?{urlencode(query)}"
        return _json(
            {
                "data": [self._resource(request, one) for one in found],
                "meta": {"total": total, "totalPages": pages, "page": number},
                "links": links,
            }
        )

    async def _after(self, request: Request, cursor: str, wanted: frozenset[State], size: int) -> Response:
        """A page that follows a cursor: ``1`` for the first one, then what ``links.next`` has."""
        prefix = request.query_params.get("prefix")
        async with self._store.open() as shelf:
            found, total = await shelf.after(_position(cursor), states=wanted, prefix=prefix, size=size)
        links = {"self": str(request.url)}
        if size and len(found) == size:
            query = {**request.query_params, "page[cursor]": _cursor(found[-1].doi), "page[size]": str(size)}
            links["next"] = f"{_address(request)}?{urlencode(query)}"
        pages = -(-total // size) if size else 0
        return _json(
            {
                "data": [self._resource(request, one) for one in found],
                "meta": {"total": total, "totalPages": pages},
                "links": links,
            }
        )

    async def validate(self, request: Request) -> Response:
        """``POST /dois/validate``: what a registration would be told, and nothing is stored; always 200."""
        self._authenticate(request, required=True)
        attributes = await _attributes(request)
        given = attributes.get("doi")
        doi = given.lower() if isinstance(given, str) else ""
        found = states.flaws(doi, attributes, State.FINDABLE)
        if given is not None and not states.is_doi(doi):
            found.insert(0, states.Flaw("doi", "Is invalid"))
        if found:
            return _json({"errors": invalid(doi, found).errors})
        async with self._store.open() as shelf:
            stored = Stored(doi, State.DRAFT, attributes, 1, shelf.now, shelf.now)
        return self._document(request, stored, 200)

    async def random(self, request: Request) -> Response:
        """``GET /dois/random?prefix=``: names nobody has, as many as ``number`` says."""
        prefix = request.query_params.get("prefix", "")
        if not prefix:
            raise refusal(422, "Parameter prefix is required")
        number = max(1, _number(request, "number", 1, MAX_PAGE))
        return _json({"dois": [random_doi(prefix) for _ in range(number)]})

    async def url(self, request: Request, doi: str) -> Response:
        """``GET /dois/{doi}/get-url``: where it leads."""
        self._authenticate(request, required=True)
        async with self._store.open() as shelf:
            stored = await shelf.find(doi.lower())
        if stored is None:
            raise refusal(404, NOT_FOUND)
        return _json({"url": stored.attributes.get("url")})

    async def _write(self, shelf: Shelf, doi: str, given: dict[str, Any], before: Stored | None) -> Stored:
        attributes = {name: value for name, value in given.items() if name in states.WRITABLE}
        merged = {**before.attributes, **attributes} if before else attributes
        state = states.after(before.state if before else State.DRAFT, given.get("event"))
        if found := states.flaws(doi, merged, state):
            raise invalid(doi, found)
        return await shelf.put(doi, state, merged, before)

    def _new_name(self, attributes: dict[str, Any]) -> str:
        doi, prefix = attributes.get("doi"), attributes.get("prefix")
        if doi is None and isinstance(prefix, str):
            doi = random_doi(prefix)
        return self._checked_name(doi.lower() if isinstance(doi, str) else "")

    def _checked_name(self, doi: str) -> str:
        if not states.is_doi(doi):
            raise invalid(doi, [states.Flaw("doi", "Is invalid")])
        if not self._account.owns(doi):
            raise refusal(403, _FORBIDDEN)
        return doi

    def _authenticate(self, request: Request, *, required: bool = False) -> bool:
        """Whether the account asks. Raises a 401 for wrong credentials, and for none where they are needed."""
        header = request.headers.get("authorization")
        if header is None and not required:
            return False
        if header is None or not self._is_account(header):
            raise refusal(401, "Bad credentials.", headers={"www-authenticate": 'Basic realm="sandbox"'})
        return True

    def _is_account(self, header: str) -> bool:
        scheme, _, encoded = header.partition(" ")
        try:
            user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return False
        return (
            scheme.lower() == "basic"
            and user.lower() == self._account.repository_id.lower()
            and secrets.compare_digest(password.encode(), self._account.password.encode())
        )

    def _resource(self, request: Request, stored: Stored) -> dict[str, Any]:
        return documents.resource(
            stored,
            self._account.repository_id,
            publisher_object=request.query_params.get("publisher") == "true",
            affiliation_objects=request.query_params.get("affiliation") == "true",
        )

    def _document(self, request: Request, stored: Stored, status: int) -> Response:
        return _json({"data": self._resource(request, stored)}, status)


def create_sandbox(registrar: SandboxRegistrar) -> FastAPI:
    """The application to mount, or to serve by itself."""
    app = FastAPI(
        title="Sandbox registrar", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )

    @app.get("/heartbeat")
    async def heartbeat() -> Response:
        return PlainTextResponse("OK")

    app.get("/dois")(registrar.listing)
    app.post("/dois")(registrar.create)
    app.post("/dois/validate")(registrar.validate)
    app.get("/dois/random")(registrar.random)
    app.get("/dois/{doi:path}/get-url")(registrar.url)
    app.get("/dois/{doi:path}")(registrar.read)
    app.put("/dois/{doi:path}")(registrar.replace)
    app.patch("/dois/{doi:path}")(registrar.replace)
    app.delete("/dois/{doi:path}")(registrar.remove)

    async def on_answer(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Answer)
        return _json({"errors": error.errors}, error.status, error.headers)

    async def on_http_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        title = {404: NOT_FOUND, 405: "Method not allowed"}.get(error.status_code, str(error.detail))
        answer = refusal(error.status_code, title)
        return _json({"errors": answer.errors}, error.status_code, dict(error.headers or {}))

    app.add_exception_handler(Answer, on_answer)
    app.add_exception_handler(HTTPException, on_http_error)
    return app


async def _attributes(request: Request) -> dict[str, Any]:
    """The attributes in a JSON:API body. ``type`` is not needed: clients of DataCite leave it out."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise refusal(413, "The payload is too large.")
        chunks.append(chunk)
    body = b"".join(chunks)
    try:
        check_json(body, max_depth=MAX_DEPTH)
        document = json.loads(body)
    except DomainError as error:
        raise refusal(400, error.detail) from error
    except ValueError as error:
        raise refusal(400, str(error)) from error
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        raise refusal(400, _NO_PAYLOAD)
    attributes = data.get("attributes", {})
    if not isinstance(attributes, dict):
        raise refusal(400, _NO_PAYLOAD)
    return attributes


def _address(request: Request) -> str:
    """The URL that was asked for, without its query."""
    return str(request.url).partition("?")[0]


def _cursor(doi: str) -> str:
    return base64.urlsafe_b64encode(doi.encode()).rstrip(b"=").decode()


def _position(cursor: str) -> str:
    """The name a cursor stands for; the first one comes before every name."""
    if cursor == "1":
        return ""
    try:
        text = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), b"-_", validate=True).decode()
    except ValueError as error:
        raise refusal(400, "The cursor is invalid.") from error
    if "\0" in text:
        raise refusal(400, "The cursor is invalid.")
    return text


def _number(request: Request, name: str, usual: int, most: int) -> int:
    value = request.query_params.get(name, "")
    return min(int(value[:9]), most) if value.isascii() and value.isdecimal() else usual


def _json(content: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)
