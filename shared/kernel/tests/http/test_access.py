from __future__ import annotations

import json

import httpx
import pytest
from fastapi import APIRouter
from indigo_kernel import context
from indigo_kernel.health import HealthChecks
from indigo_kernel.http.app import create_api
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.routing import Mount

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def requests_seen(**labels: str) -> float:
    found = 0.0
    for family in REGISTRY.collect():
        if family.name == "http_server_request_duration_seconds":
            for sample in family.samples:
                if sample.name.endswith("_count") and labels.items() <= sample.labels.items():
                    found += sample.value
    return found


async def test_the_trace_goes_on_and_comes_back(client) -> None:
    answer = await client.get("/version", headers={"traceparent": TRACEPARENT})
    version, trace, span, flags = answer.headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert span != "b7ad6b7169203331"


@pytest.mark.parametrize("wrong", ["", "nonsense", f"00-{'0' * 32}-b7ad6b7169203331-01", "00-" + "g" * 52])
async def test_a_wrong_trace_is_replaced(client, wrong: str) -> None:
    answer = await client.get("/version", headers={"traceparent": wrong})
    assert len(answer.headers["traceparent"]) == 55
    assert answer.headers["traceparent"] != wrong


async def test_the_request_id_is_kept_when_it_can_be(client) -> None:
    answer = await client.get("/version", headers={"x-request-id": "portal-17.a:b"})
    assert answer.headers["x-request-id"] == "portal-17.a:b"
    answer = await client.get("/version", headers={"x-request-id": 'a"b<script>'})
    assert len(answer.headers["x-request-id"]) == 36


async def test_the_context_is_the_requests_while_it_runs_and_no_longer() -> None:
    router = APIRouter(include_in_schema=False)

    @router.get("/context")
    async def get_context() -> dict[str, str | None]:
        now = context.current()
        return {"trace": now.trace_id, "correlation": now.correlation_id, "cause": now.causation_id}

    app = create_api(
        title="Demo",
        service="demo",
        version="1",
        routers=[router],
        ops=HealthChecks(),
        public_url="http://demo.test",
        cursor_key=b"sixteen bytes or more",
    )
    outer = context.new_context()
    with context.within(outer):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://demo.test") as http:
            answer = await http.get("/context", headers={"traceparent": TRACEPARENT, "x-request-id": "abc"})
        assert context.current() == outer
    assert answer.json() == {"trace": TRACE, "correlation": "abc", "cause": "abc"}


async def test_each_request_has_a_line(client, lines) -> None:
    await client.get("/notes/7?word=private")
    (line,) = [one for one in lines if one["event"] == "request.finished"]
    assert line["log_level"] == "info"
    assert (line["method"], line["path"], line["route"]) == ("GET", "/notes/7", "/notes/{note_id}")
    assert line["status"] == 404
    assert line["service"] == "demo"
    assert line["bytes_sent"] > 0
    assert line["duration_ms"] >= 0
    assert "private" not in json.dumps(line)


async def test_probes_are_quiet(client, lines) -> None:
    await client.get("/livez")
    assert [one["log_level"] for one in lines] == ["debug"]


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "/notes/3", {"http_route": "/notes/{note_id}", "http_response_status_code": "404"}),
        ("HEAD", "/notes/3", {"http_route": "/notes/{note_id}", "http_request_method": "HEAD"}),
        ("GET", "/odd/uploads/3", {"http_route": "/odd/uploads/{upload}", "http_response_status_code": "405"}),
        ("GET", "/no/such/path", {"http_route": "unmatched", "http_response_status_code": "404"}),
        ("BREW", "/notes", {"http_request_method": "_OTHER", "http_response_status_code": "405"}),
        ("GET", "/broken", {"error_type": "RuntimeError", "http_response_status_code": "500"}),
    ],
)
async def test_requests_are_measured_by_template(client, method: str, path: str, labels: dict) -> None:
    before = requests_seen(service="demo", url_scheme="http", **labels)
    await client.request(method, path)
    assert requests_seen(service="demo", url_scheme="http", **labels) == before + 1


async def test_nothing_is_active_afterwards(client) -> None:
    await client.get("/broken")
    labels = {"service": "demo", "http_request_method": "GET", "url_scheme": "http"}
    assert REGISTRY.get_sample_value("http_server_active_requests", labels) == 0


async def test_behind_a_front_door(app, notes) -> None:
    front = Starlette(routes=[Mount("/demo", app=app)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://suite.test") as http:
        before = requests_seen(http_route="/notes/{note_id}", http_response_status_code="404")
        answer = await http.get("/demo/notes/5")
        assert answer.json()["instance"] == "/demo/notes/5"
        assert requests_seen(http_route="/notes/{note_id}", http_response_status_code="404") == before + 1
        assert (await http.delete("/demo/notes")).headers["allow"] == "GET, HEAD, POST"
        assert (await http.head("/demo/uploads/1")).headers["upload-offset"] == "42"
