from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated

import httpx
import pytest
import pytest_asyncio
import structlog
from fastapi import APIRouter, FastAPI, Path, Request
from indigo_kernel.etag import Expected, IfMatch, etag, not_modified
from indigo_kernel.health import HealthChecks
from indigo_kernel.http.app import create_api
from indigo_kernel.http.limits import InputLimits
from indigo_kernel.http.openapi import responses
from indigo_kernel.http.server import listen, serving
from indigo_kernel.pagination import Page, Paging
from indigo_kernel.problems import NotFound, PreconditionRequired, StaleVersion
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

PUBLIC_URL = "https://demo.example.org/demo"


class Note(BaseModel):
    """A note, as a service would keep one. Strict: ``false`` is no number."""

    model_config = ConfigDict(strict=True)

    title: str = Field(min_length=1, max_length=200)
    tags: list[str] = []
    weight: float = 0.0
    parts: list[NotePart] = []


class NotePart(BaseModel):
    model_config = ConfigDict(strict=True)

    name: str
    size: int


class KeptNote(Note):
    id: int
    version: int


Note.model_rebuild()


class Notes:
    """The state behind the demo routes, and what they saw of the world."""

    def __init__(self) -> None:
        self.kept: dict[int, KeptNote] = {}
        self.chunks_read = 0

    def get(self, number: int) -> KeptNote:
        note = self.kept.get(number)
        if note is None:
            raise NotFound(f"There is no note {number}")
        return note


NoteId = Annotated[int, Path(ge=1, le=2**31)]


def note_routes(notes: Notes) -> APIRouter:
    router = APIRouter(prefix="/notes", tags=["notes"])

    @router.get("")
    async def list_notes(paging: Paging, word: str = "") -> Page[KeptNote]:
        after = int(paging.after[0]) if paging.after else 0
        rows = [one for key, one in sorted(notes.kept.items()) if key > after and word in one.title]
        return paging.page(rows[: paging.limit + 1], key=lambda one: (one.id,))

    @router.post("", status_code=201)
    async def create_note(body: Note, response: Response) -> KeptNote:
        number = len(notes.kept) + 1
        notes.kept[number] = KeptNote(id=number, version=1, **body.model_dump())
        response.headers["location"] = f"/notes/{number}"
        response.headers["etag"] = etag(1)
        return notes.kept[number]

    @router.get("/{note_id}", response_model=KeptNote, responses=responses(NotFound))
    async def get_note(note_id: NoteId, request: Request, response: Response) -> KeptNote | Response:
        note = notes.get(note_id)
        tag = etag(note.version)
        response.headers["etag"] = tag
        return not_modified(request, tag) or note

    @router.put("/{note_id}", responses=responses(NotFound, StaleVersion, PreconditionRequired))
    async def replace_note(note_id: NoteId, body: Note, expected: IfMatch) -> KeptNote:
        note = notes.get(note_id)
        return _replaced(notes, note, body, expected)

    return router


def _replaced(notes: Notes, note: KeptNote, body: Note, expected: Expected) -> KeptNote:
    expected.check(note.version)
    notes.kept[note.id] = KeptNote(id=note.id, version=note.version + 1, **body.model_dump())
    return notes.kept[note.id]


def odd_routes(notes: Notes) -> APIRouter:
    """Routes no schema describes: failures, streams, a HEAD of its own."""
    router = APIRouter(include_in_schema=False)

    @router.get("/broken")
    async def get_broken() -> None:
        raise RuntimeError("the secret of the database is hunter2")

    @router.get("/half")
    async def get_half() -> Response:
        async def half():
            yield b"first"
            raise RuntimeError("in the middle")

        return StreamingResponse(half())

    @router.get("/stream")
    async def get_stream() -> Response:
        async def chunks():
            for _ in range(1000):
                notes.chunks_read += 1
                yield b"x" * 100

        return StreamingResponse(chunks(), headers={"x-kind": "stream"})

    @router.head("/uploads/{upload}")
    async def head_upload(upload: str) -> Response:
        return Response(headers={"upload-offset": "42"})

    @router.post("/uploads/{upload}")
    async def post_upload(upload: str, request: Request) -> int:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
        return size

    @router.post("/echo")
    async def post_echo(request: Request) -> Response:
        return Response(await request.body())

    return router


@pytest.fixture(autouse=True)
def lines() -> Iterator[list[dict]]:
    """What is logged during the test, unrendered: drawing tracebacks for a screen takes seconds."""
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def health() -> HealthChecks:
    return HealthChecks()


@pytest.fixture
def app(notes: Notes, health: HealthChecks) -> FastAPI:
    nested = APIRouter()
    nested.include_router(odd_routes(notes), prefix="/odd")
    return create_api(
        title="Demo",
        service="demo",
        version="1.2.3",
        description="Notes.",
        routers=[note_routes(notes), odd_routes(notes), nested],
        ops=health,
        public_url=PUBLIC_URL,
        cursor_key=b"sixteen bytes or more",
        limits=InputLimits(
            max_body_bytes=10_000,
            max_json_depth=20,
            streams=lambda method, path: method == "POST" and path.startswith("/uploads/"),
        ),
    )


@pytest_asyncio.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the application directly."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://demo.test") as http:
        yield http


@pytest_asyncio.fixture
async def served(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the application through a real server."""
    bound = listen("127.0.0.1", 0)
    async with (
        serving(app, bound),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{bound.getsockname()[1]}", trust_env=False) as http,
    ):
        yield http


@pytest.fixture
def raw() -> Callable[[httpx.AsyncClient, bytes], object]:
    """Sends bytes no client library would send, and returns everything that comes back."""

    async def exchange(served: httpx.AsyncClient, sent: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.base_url.port)
        writer.write(sent)
        await writer.drain()
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    return exchange
