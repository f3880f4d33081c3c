from __future__ import annotations

import pytest
from fastapi import APIRouter
from indigo_contracts.problems import BASE, MEDIA_TYPE
from indigo_kernel.health import HealthChecks
from indigo_kernel.http.app import create_api
from indigo_kernel.http.openapi import ApiError, operations
from indigo_kernel.http.reference import reference_page

NOTE = {"title": "On rivers", "parts": [{"name": "a", "size": 1}]}


def problem(response, status: int, slug: str) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    told = response.json()
    assert told["type"] == BASE + slug
    assert told["status"] == status
    assert told["trace_id"] == response.headers["traceparent"].split("-")[1]
    return told


async def test_a_domain_error_is_a_problem(client) -> None:
    told = problem(await client.get("/notes/7"), 404, "not-found")
    assert told["detail"] == "There is no note 7"
    assert told["instance"] == "/notes/7"


async def test_wrong_fields_are_pointed_at(client) -> None:
    body = {"title": "", "parts": [{"name": "a", "size": 1}, {"size": "many"}]}
    told = problem(await client.post("/notes", json=body), 422, "invalid-body")
    assert {(one["pointer"], one["code"]) for one in told["errors"]} == {
        ("/title", "string_too_short"),
        ("/parts/1/name", "missing"),
        ("/parts/1/size", "int_type"),
    }


async def test_a_missing_body_points_at_the_whole(client) -> None:
    told = problem(await client.post("/notes"), 422, "invalid-body")
    assert told["errors"] == [{"pointer": "", "detail": "Field required", "code": "missing"}]


async def test_wrong_parameters_are_named(client) -> None:
    told = problem(await client.get("/notes?limit=many"), 422, "invalid-parameter")
    assert told["errors"][0]["pointer"] == "/query/limit"
    told = problem(await client.get("/notes/none"), 422, "invalid-parameter")
    assert told["errors"][0]["pointer"] == "/path/note_id"


async def test_another_media_type_is_415(client) -> None:
    answer = await client.post("/notes", content=b"title: x", headers={"content-type": "application/yaml"})
    problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize("path", ["/nothing", "/notes/", "/notes/1/more", "//notes"])
async def test_unknown_paths_are_404(client, path: str) -> None:
    problem(await client.get(path), 404, "not-found")


async def test_allow_names_the_methods_of_every_route_at_the_path(client) -> None:
    answer = await client.delete("/notes")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert (await client.delete("/odd/uploads/1")).headers["allow"] == "HEAD, POST"


async def test_the_unforeseen_is_logged_and_not_told(client, lines) -> None:
    answer = await client.get("/broken")
    problem(answer, 500, "internal")
    assert "hunter2" not in answer.text
    (line,) = [one for one in lines if one["event"] == "request.failed"]
    assert line["exc_info"]
    assert line["log_level"] == "error"


async def test_an_answer_that_breaks_off_cuts_the_connection(served, raw) -> None:
    answer = await raw(served, b"GET /half HTTP/1.1\r\nhost: demo\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"first" in answer
    assert not answer.endswith(b"0\r\n\r\n")


async def test_head_answers_with_gets_headers(client, served) -> None:
    await client.post("/notes", json=NOTE)
    got, head = await client.get("/notes/1"), await client.head("/notes/1")
    assert head.status_code == 200
    assert head.content == b""
    for name in ("content-type", "content-length", "etag"):
        assert head.headers[name] == got.headers[name]
    assert (await served.head("/notes/1")).headers["content-length"] == got.headers["content-length"]
    assert (await client.head("/notes/9")).status_code == 404
    assert (await client.head("/version")).status_code == 200


async def test_head_does_not_read_a_stream_to_its_end(served, notes) -> None:
    answer = await served.head("/stream")
    assert answer.status_code == 200
    assert answer.headers["x-kind"] == "stream"
    assert notes.chunks_read == 1


async def test_a_route_may_have_a_head_of_its_own(client) -> None:
    assert (await client.head("/uploads/1")).headers["upload-offset"] == "42"
    assert (await client.head("/odd/uploads/1")).headers["upload-offset"] == "42"
    assert (await client.get("/uploads/1")).status_code == 405


async def test_version_and_documents(client) -> None:
    assert (await client.get("/version")).json() == {"service": "demo", "version": "1.2.3"}
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "demo_replace_note" in page.text
    assert "http://" not in page.text
    assert "<script" not in page.text
    document = (await client.get("/openapi.json")).json()
    assert document["servers"] == [{"url": "https://demo.example.org/demo"}]
    assert {one["operationId"] for *_, one in operations(document)} == {
        "demo_list_notes",
        "demo_create_note",
        "demo_get_note",
        "demo_replace_note",
    }
    put = document["paths"]["/notes/{note_id}"]["put"]["responses"]
    assert set(put) == {"200", "400", "404", "412", "413", "415", "422", "428", "500"}
    assert put["412"]["content"][MEDIA_TYPE]["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert "FieldError" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_docs_escape_what_the_document_says() -> None:
    router = APIRouter()

    @router.get("/things", summary="<script>alert(1)</script>")
    async def list_things() -> int:
        return 1

    page = reference_page(api_of(router).openapi())
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page


def api_of(*routers: APIRouter, service: str = "demo"):
    return create_api(
        title="Demo",
        service=service,
        version="1",
        routers=routers,
        ops=HealthChecks(),
        public_url="https://demo.example.org",
        cursor_key=b"sixteen bytes or more",
    )


def test_names_must_have_the_shape() -> None:
    router = APIRouter()

    @router.get("/things")
    async def things() -> int:
        return 1

    with pytest.raises(ApiError, match="demo_things is not demo_<verb>_<noun>"):
        api_of(router)


def test_names_must_be_unique() -> None:
    router = APIRouter()

    @router.get("/things")
    async def list_things() -> int:
        return 1

    router.add_api_route("/others", list_things)
    with pytest.raises(ApiError, match="/others and /things have the same operationId"):
        api_of(router)


def test_a_hyphen_in_the_service_becomes_an_underscore() -> None:
    router = APIRouter()

    @router.get("/things")
    async def list_things() -> int:
        return 1

    names = [one["operationId"] for *_, one in operations(api_of(router, service="qos-gateway").openapi())]
    assert names == ["qos_gateway_list_things"]


def test_an_integer_parameter_needs_bounds() -> None:
    router = APIRouter()

    @router.get("/things")
    async def list_things(offset: int | None = None) -> int:
        return offset or 0

    with pytest.raises(ApiError, match="offset has no bounds"):
        api_of(router)


async def test_what_is_put_in_front_answers_before_everything_else(app, client) -> None:
    async def gone(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 410, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def wrap(inner):
        async def front(scope, receive, send) -> None:
            await (gone if scope["path"] == "/gone" else inner)(scope, receive, send)

        return front

    app.put_in_front(wrap)
    answer = await client.get("/gone")
    assert (answer.status_code, dict(answer.headers)) == (410, {})
    problem(await client.get("/notes/7"), 404, "not-found")
