"""A database that is away is nobody's fault who asks: 503, and come again."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import sqlalchemy as sa
from fastapi import APIRouter
from indigo_dev.postgres import EmbeddedPostgres
from indigo_kernel.db.engine import create_engine
from indigo_kernel.health import HealthChecks
from indigo_kernel.http.app import create_api
from indigo_testing.directories import server_directory


def api(url: str):
    engine = create_engine(url, application="test")
    router = APIRouter()

    @router.get("/one")
    async def get_one() -> int:
        async with engine.connect() as conn:
            return await conn.scalar(sa.text("SELECT 1"))

    @router.get("/wrong")
    async def get_wrong() -> int:
        async with engine.connect() as conn:
            return await conn.scalar(sa.text("SELECT nothing"))

    app = create_api(
        title="test",
        service="test",
        version="1",
        routers=[router],
        ops=HealthChecks(),
        public_url="http://test",
        cursor_key=b"k" * 32,
    )
    return app, engine


@pytest.fixture
def postgres():
    with (
        server_directory("postgres", EmbeddedPostgres) as directory,
        EmbeddedPostgres(directory, durable=False) as server,
    ):
        yield server


async def test_requests_answer_503_while_it_is_away_and_well_afterwards(postgres) -> None:
    app, engine = api(postgres.server_url)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        assert (await http.get("/one")).json() == 1
        await asyncio.to_thread(postgres.stop)
        for _ in range(3):  # on the connection that broke, and on new ones
            answer = await http.get("/one")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert answer.json()["type"].endswith("/unavailable")
        await asyncio.to_thread(postgres.start)
        assert (await http.get("/one")).json() == 1
    await engine.dispose()


async def test_a_wrong_statement_is_ours_and_a_500(postgres) -> None:
    app, engine = api(postgres.server_url)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        assert (await http.get("/wrong")).status_code == 500
    await engine.dispose()
