from __future__ import annotations

import json

import httpx
import pytest
from indigo_contracts.problems import BASE
from starlette.types import Message

NOTE = {"title": "On rivers"}


def slug(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].removeprefix(BASE)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (rb'{"title": "a\u0000b"}', (400, "invalid-text")),
        (rb'{"title": "\ud800"}', (400, "invalid-text")),
        (b'{"title": "a", "weight": NaN}', (400, "invalid-text")),
        (b'{"title": "a", "extra": 9223372036854775808}', (400, "invalid-text")),
        (b'{"title": "a", "title": "b"}', (400, "bad-request")),
        (b"[" * 21 + b"]" * 21, (400, "bad-request")),
        (b'{"title": ', (400, "bad-request")),
    ],
)
async def test_json_is_checked_before_any_route(client, body: bytes, expected: tuple[int, str]) -> None:
    for path in ("/notes", "/echo"):
        for media_type in ("application/json", "application/merge-patch+json; charset=utf-8"):
            answer = await client.post(path, content=body, headers={"content-type": media_type})
            assert slug(answer) == expected


async def test_the_pointer_is_in_the_answer(client) -> None:
    answer = await client.post("/notes", content=rb'{"title": "a", "tags": ["b", "\u0000"]}')
    assert answer.status_code == 415, "httpx sends no media type by itself"
    answer = await client.post(
        "/notes",
        content=rb'{"title": "a", "tags": ["b", "\u0000"]}',
        headers={"content-type": "application/json"},
    )
    assert answer.json()["errors"][0]["pointer"] == "/tags/1"


async def test_other_media_types_are_not_read_as_json(client) -> None:
    answer = await client.post("/echo", content=b"\x00NaN", headers={"content-type": "text/plain"})
    assert answer.content == b"\x00NaN"


@pytest.mark.parametrize(
    "path",
    [
        "/notes/%00",
        "/notes/%FF",
        "/notes/%ED%A0%80",
        "/notes?word=%00",
        "/notes?word=%ff",
        "/notes?word=a&%C3%28=1",
    ],
)
async def test_text_in_the_url_must_be_storable(served, path: str) -> None:
    assert slug(await served.get(path)) == (400, "invalid-text")


async def test_usual_escapes_pass(served) -> None:
    assert (await served.get("/notes?word=%C3%A9t%C3%A9%20%25&x=%zz")).status_code == 200


async def test_nul_in_a_form_is_refused(client) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert slug(await client.post("/echo", content=b"a=%00", headers=form)) == (400, "invalid-text")
    assert (await client.post("/echo", content=b"a=%C3%A9", headers=form)).content == b"a=%C3%A9"


async def test_nul_in_a_header_is_refused(client) -> None:
    answer = await client.get("/notes", headers=[(b"x-note", b"a\x00b")])
    assert slug(answer) == (400, "invalid-text")


async def test_a_body_may_be_as_large_as_the_limit(served) -> None:
    assert len((await served.post("/echo", content=b"x" * 10_000)).content) == 10_000
    answer = await served.post("/echo", content=b"x" * 10_001)
    assert slug(answer) == (413, "too-large")
    assert answer.json()["max_bytes"] == 10_000


async def test_an_announced_size_is_refused_before_it_is_sent(served, raw) -> None:
    answer = await raw(served, b"POST /echo HTTP/1.1\r\nhost: demo\r\ncontent-length: 10001\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")


async def test_a_client_that_sends_all_before_it_reads_sees_the_refusal(served) -> None:
    answer = await served.post("/echo", content=b"x" * 20_000_000)
    assert slug(answer) == (413, "too-large")
    assert answer.headers["connection"] == "close"


async def test_a_body_of_unknown_size_is_counted(served) -> None:
    async def chunks():
        for _ in range(11):
            yield b"x" * 1000

    assert slug(await served.post("/echo", content=chunks())) == (413, "too-large")


async def test_a_body_in_pieces_reaches_the_route_whole(served) -> None:
    async def pieces():
        text = json.dumps(NOTE).encode()
        for position in range(len(text)):
            yield text[position : position + 1]

    answer = await served.post("/notes", content=pieces(), headers={"content-type": "application/json"})
    assert answer.status_code == 201


async def test_uploads_stream_past_the_limit(served) -> None:
    async def chunks():
        for _ in range(100):
            yield b"x" * 10_000

    assert (await served.post("/uploads/1", content=chunks())).json() == 1_000_000


async def test_a_client_that_leaves_is_not_an_error(app, lines) -> None:
    received = iter([{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Message:
        return next(received)

    async def send(message: Message) -> None:
        raise AssertionError(f"nobody is there to be told {message}")

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": "POST",
        "path": "/echo",
        "raw_path": b"/echo",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"demo"), (b"content-length", b"100")],
        "client": ("127.0.0.1", 1),
        "server": ("demo", 80),
    }
    await app(scope, receive, send)
    assert [(one["event"], one["status"]) for one in lines] == [("request.finished", 499)]
