from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from indigo_kernel.clock import ManualClock
from indigo_kernel.db.engine import create_engine
from indigo_kernel.db.tables import NAMING, kernel_tables
from indigo_kernel.db.uow import Database, UnitOfWork
from indigo_kernel.health import HealthChecks
from indigo_kernel.http.app import create_api
from indigo_kernel.idempotency import KEPT, expire_keys, idempotent, parse_key
from indigo_kernel.problems import BadRequest, Conflict
from starlette.responses import JSONResponse, Response

KEY = {"idempotency-key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}


class Bench:
    """A service with one effect: a row in ``effects``. ``before_answer`` lets a test hold the effect open."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database = database
        self.clock = clock
        self.before_answer: Callable[[], Awaitable[None]] | None = None
        self.fails = False

    async def effects(self) -> int:
        async with self.database.engine.connect() as conn:
            return (await conn.execute(sa.text("SELECT count(*) FROM effects"))).scalar_one()

    async def act(self, uow: UnitOfWork, name: str) -> Response:
        await uow.conn.execute(sa.text("INSERT INTO effects VALUES (:name)"), {"name": name})
        if self.before_answer:
            await self.before_answer()
        if self.fails:
            raise Conflict("not now")
        number = (await uow.conn.execute(sa.text("SELECT count(*) FROM effects"))).scalar_one()
        return JSONResponse({"number": number}, 201, headers={"location": f"/things/{number}", "etag": '"v1"'})

    def app(self) -> FastAPI:
        router = APIRouter(include_in_schema=False)

        async def post(request: Request, who: str = "ann", required: bool = True) -> Response:
            async with UnitOfWork(self.database) as uow:
                name = (await request.body()).decode()
                return await idempotent(
                    request, uow.conn, who, partial(self.act, uow, name), now=uow.now, required=required
                )

        router.add_api_route("/things", post, methods=["POST"])
        router.add_api_route("/others", post, methods=["POST"])
        return create_api(
            title="Bench",
            service="bench",
            version="1",
            routers=[router],
            ops=HealthChecks(),
            public_url="http://bench.test",
            cursor_key=b"sixteen bytes or more",
        )


@pytest_asyncio.fixture
async def bench(make_database) -> AsyncIterator[Bench]:
    engine = create_engine(await make_database("idempotency"), application="test")
    metadata = sa.MetaData(naming_convention=NAMING)
    kernel_tables(metadata)
    sa.Table("effects", metadata, sa.Column("name", sa.Text, nullable=False))
    async with engine.begin() as conn:
        await conn.run_sync(metadata.create_all)
    clock = ManualClock()
    yield Bench(Database(engine, clock, "http://bench.test"), clock)
    await engine.dispose()


@pytest_asyncio.fixture
async def http(bench: Bench) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(bench.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://bench.test") as client:
        yield client


async def test_a_repeated_request_gets_the_first_answer(bench, http) -> None:
    first = await http.post("/things", content="a", headers=KEY)
    again = await http.post("/things", content="a", headers=KEY)
    assert await bench.effects() == 1
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    for name in ("location", "etag", "content-type", "content-length"):
        assert again.headers.get_list(name) == first.headers.get_list(name)
    assert again.headers["x-request-id"] != first.headers["x-request-id"]


async def test_the_same_key_bare_or_quoted(bench, http) -> None:
    await http.post("/things", content="a", headers={"idempotency-key": '"k-1"'})
    again = await http.post("/things", content="a", headers={"idempotency-key": "k-1"})
    assert again.headers["idempotency-replayed"] == "true"


async def test_another_request_with_the_key_is_refused(bench, http) -> None:
    await http.post("/things", content="a", headers=KEY)
    other = await http.post("/things", content="b", headers=KEY)
    assert other.status_code == 422
    assert other.json()["type"].endswith("/idempotency-mismatch")
    assert await bench.effects() == 1


async def test_keys_of_others_and_of_other_paths_are_others(bench, http) -> None:
    await http.post("/things", content="a", headers=KEY)
    assert (await http.post("/things?who=bob", content="a", headers=KEY)).json() == {"number": 2}
    assert (await http.post("/others", content="a", headers=KEY)).json() == {"number": 3}


async def test_the_key_may_be_required(bench, http) -> None:
    assert (await http.post("/things", content="a")).status_code == 400
    assert (await http.post("/things?required=false", content="a")).status_code == 201
    assert await bench.effects() == 1


async def test_a_failure_stores_nothing(bench, http) -> None:
    bench.fails = True
    assert (await http.post("/things", content="a", headers=KEY)).status_code == 409
    assert await bench.effects() == 0
    bench.fails = False
    again = await http.post("/things", content="a", headers=KEY)
    assert again.status_code == 201
    assert "idempotency-replayed" not in again.headers


async def test_while_the_first_runs_the_second_is_told_to_wait(bench, http) -> None:
    running, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        running.set()
        await go_on.wait()

    bench.before_answer = hold
    first = asyncio.create_task(http.post("/things", content="a", headers=KEY))
    async with asyncio.timeout(30):
        await running.wait()
        second = await http.post("/things", content="a", headers=KEY)
        assert second.status_code == 409
        assert second.json()["type"].endswith("/in-progress")
        assert second.headers["retry-after"] == "1"
        go_on.set()
        assert (await first).status_code == 201
    again = await http.post("/things", content="a", headers=KEY)
    assert again.headers["idempotency-replayed"] == "true"
    assert await bench.effects() == 1


async def test_many_at_once_have_one_effect(bench, http) -> None:
    for round_number in range(5):
        key = {"idempotency-key": f"round-{round_number}"}
        answers = await asyncio.gather(*(http.post("/things", content="a", headers=key) for _ in range(8)))
        done = [one for one in answers if one.status_code == 201]
        assert done
        assert {one.status_code for one in answers} <= {201, 409}
        assert len({one.content for one in done}) == 1
        assert await bench.effects() == round_number + 1


async def test_a_day_later_the_key_is_new(bench, http) -> None:
    await http.post("/things", content="a", headers=KEY)
    bench.clock.advance(KEPT)
    assert (await http.post("/things", content="b", headers=KEY)).json() == {"number": 2}
    assert (await http.post("/things", content="b", headers=KEY)).json() == {"number": 2}


async def test_old_answers_are_forgotten(bench, http) -> None:
    await http.post("/things", content="a", headers={"idempotency-key": "old"})
    bench.clock.advance(timedelta(hours=23))
    await http.post("/things", content="a", headers={"idempotency-key": "young"})
    bench.clock.advance(timedelta(hours=2))
    async with bench.database.engine.begin() as conn:
        assert await expire_keys(conn, bench.clock.now()) == 1
        left = (await conn.execute(sa.text("SELECT key FROM idempotency_keys"))).scalars().all()
    assert left == ["young"]


async def test_an_older_snapshot_cannot_repeat_the_effect(bench) -> None:
    """Under repeatable read the row of the first request is invisible; the insert still meets it."""
    app_request = Request(
        {
            "type": "http",
            "method": "POST",
            "path": "/things",
            "query_string": b"",
            "headers": [(b"idempotency-key", b"k")],
        },
        receive=partial(asyncio.sleep, 0, {"type": "http.request", "body": b"", "more_body": False}),
    )
    engine = bench.database.engine.execution_options(isolation_level="REPEATABLE READ")

    async def effect() -> Response:
        return Response(status_code=204)

    async with engine.connect() as late, engine.connect() as early:
        await late.execute(sa.text("SELECT count(*) FROM effects"))
        await idempotent(app_request, early, "ann", effect, now=bench.clock.now())
        await early.commit()
        with pytest.raises(Exception, match=r"still running|could not serialize"):
            await idempotent(app_request, late, "ann", effect, now=bench.clock.now())


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255))
def test_any_quoted_ascii_is_a_key(key: str) -> None:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    assert parse_key(f'"{escaped}"') == key


@pytest.mark.parametrize("value", ["", '""', '"', '"a', 'a b"', '"a"b"', "é", '"\\a"', "a" * 256, '"a";x=1'])
def test_what_is_no_key(value: str) -> None:
    with pytest.raises(BadRequest):
        parse_key(value)
