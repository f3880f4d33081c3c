from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from indigo_kernel import context
from indigo_kernel.http.client import Retries, internal_client
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Callee:
    """A service that answers with what is scripted: a status, or a network error, then 200 for ever."""

    def __init__(self) -> None:
        self.script: list[int | Exception | Response] = []
        self.asked: list[Request] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await request.body()
        self.asked.append(request)
        step = self.script.pop(0) if self.script else 200
        if isinstance(step, Exception):
            raise step
        answer = step if isinstance(step, Response) else Response(status_code=step)
        await answer(scope, receive, send)


class Pauses:
    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@pytest.fixture
def callee() -> Callee:
    return Callee()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def caller(callee: Callee, pauses: Pauses) -> Callable[..., httpx.AsyncClient]:
    def make(**more) -> httpx.AsyncClient:
        return internal_client("http://pid.test/base", transport=httpx.ASGITransport(callee), sleep=pauses, **more)

    return make


async def test_the_trace_and_the_correlation_go_along(callee, caller) -> None:
    callee.script = [503]
    working = context.new_context(correlation_id="story-1")
    async with caller() as client:
        with context.within(working):
            await client.get("/identifiers")
    first, second = (one.headers["traceparent"].split("-") for one in callee.asked)
    assert first[1] == second[1] == working.trace_id
    assert len({first[2], second[2], working.span_id}) == 3
    assert callee.asked[0].headers["x-request-id"] == "story-1"
    assert callee.asked[0].url.path == "/base/identifiers"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_idempotent_requests_are_tried_again(callee, caller, method: str, status: int) -> None:
    callee.script = [status, status]
    async with caller() as client:
        assert (await client.request(method, "/x")).status_code == 200
    assert len(callee.asked) == 3


@pytest.mark.parametrize("error", [httpx.ReadTimeout("late"), httpx.RemoteProtocolError("gone")])
async def test_lost_answers_are_asked_for_again(callee, caller, error: Exception) -> None:
    callee.script = [error]
    async with caller() as client:
        assert (await client.get("/x")).status_code == 200


@pytest.mark.parametrize(
    ("method", "headers"),
    [("POST", {}), ("PATCH", {}), ("PUT", {"if-match": '"v1"'}), ("DELETE", {"if-match": "*"})],
)
async def test_what_may_have_had_its_effect_is_not_repeated(callee, caller, method, headers) -> None:
    callee.script = [503]
    async with caller() as client:
        assert (await client.request(method, "/x", headers=headers)).status_code == 503
        callee.script = [httpx.ReadTimeout("late")]
        with pytest.raises(httpx.ReadTimeout):
            await client.request(method, "/x", headers=headers)
    assert len(callee.asked) == 2


async def test_what_never_left_is_repeated_for_every_method(callee, caller) -> None:
    callee.script = [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow")]
    async with caller() as client:
        assert (await client.post("/x", json={"a": 1})).status_code == 200
    assert [await one.body() for one in callee.asked] == [b'{"a":1}'] * 3


async def test_a_post_with_a_key_is_repeated(callee, caller) -> None:
    callee.script = [502, httpx.ReadTimeout("late")]
    async with caller() as client:
        answer = await client.post("/x", headers={"idempotency-key": '"k"'}, json={})
    assert answer.status_code == 200


async def test_a_body_that_can_be_read_once_is_sent_once(callee, caller) -> None:
    async def chunks():
        yield b"x"

    callee.script = [503]
    async with caller() as client:
        assert (await client.put("/x", content=chunks())).status_code == 503


async def test_tries_end(callee, caller) -> None:
    callee.script = [503] * 9
    async with caller(retries=Retries(tries=4)) as client:
        assert (await client.get("/x")).status_code == 503
    assert len(callee.asked) == 4
    callee.script = [httpx.ConnectError("refused")] * 9
    async with caller(retries=Retries(tries=2)) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/x")


async def test_the_callees_wish_is_respected_within_reason(callee, caller, pauses) -> None:
    callee.script = [
        Response(status_code=429, headers={"retry-after": "3"}),
        Response(status_code=503, headers={"retry-after": "86400"}),
    ]
    async with caller(retries=Retries(first=0.1, longest=1.0)) as client:
        await client.get("/x")
    assert 3.0 <= pauses.taken[0] <= 3.1
    assert 30.0 <= pauses.taken[1] <= 31.0


def test_pauses_grow_and_are_spread() -> None:
    retries = Retries(first=0.1, longest=1.0)
    for failed, most in enumerate([0.1, 0.2, 0.4, 0.8, 1.0, 1.0]):
        drawn = [retries.pause(failed) for _ in range(200)]
        assert all(0.0 <= one <= most for one in drawn)
        assert max(drawn) - min(drawn) > most / 2


async def test_other_answers_are_answers(callee, caller, pauses) -> None:
    callee.script = [404, 500]
    async with caller() as client:
        assert (await client.get("/x")).status_code == 404
        assert (await client.get("/x")).status_code == 500
    assert pauses.taken == []
