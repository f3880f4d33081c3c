"""The servers of the HTTP benchmark: ``http_server.py PORT bare|quiet|house|asyncpg [DATABASE_URL]``."""

from __future__ import annotations

import json
import sys

import asyncpg
import sqlalchemy as sa
import uvicorn
from fastapi import APIRouter, FastAPI, Response
from indigo_kernel.auth.dependency import Authenticator, Who
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.clock import SystemClock
from indigo_kernel.db.engine import create_engine, reading
from indigo_kernel.health import HealthChecks
from indigo_kernel.http.app import create_api
from indigo_kernel.logging import configure_logging
from pydantic import BaseModel, TypeAdapter

QUERY = "SELECT id, name, size FROM items ORDER BY id LIMIT 50"


class Item(BaseModel):
    id: str
    name: str
    size: int
    tags: list[str]


class Row(BaseModel):
    id: int
    name: str
    size: int


class Rows(BaseModel):
    items: list[Row]


ITEM = Item(id="0199", name="penguins.csv", size=15241, tags=["csv", "penguins", "Antarctica"])


def bare() -> FastAPI:
    app = FastAPI()

    @app.get("/item")
    async def get_item() -> Item:
        return ITEM

    return app


def house(database_url: str) -> FastAPI:
    reader = reading(create_engine(database_url, application="bench"))
    as_rows = TypeAdapter(list[Row])
    router = APIRouter()
    select = sa.text(QUERY)

    @router.get("/item")
    async def get_item() -> Item:
        return ITEM

    @router.get("/item-for-somebody")
    async def show_item(who: Who) -> Item:
        return ITEM

    @router.get("/rows")
    async def list_rows() -> Rows:
        async with reader.connect() as conn:
            found = await conn.execute(select)
        names = tuple(found.keys())
        return Rows(items=as_rows.validate_python([dict(zip(names, row, strict=True)) for row in found]))

    app = create_api(
        title="bench",
        service="bench",
        version="1",
        routers=[router],
        ops=HealthChecks(),
        public_url="http://127.0.0.1",
        cursor_key=b"0" * 32,
    )
    app.state.authenticator = Authenticator(TokenVerifier([], "indigo", SystemClock()))
    return app


def with_asyncpg(database_url: str) -> FastAPI:
    """The same query with asyncpg and the standard library's JSON writer on bare FastAPI."""
    app = FastAPI()
    pool: asyncpg.Pool | None = None

    @app.get("/rows")
    async def list_rows() -> Response:
        nonlocal pool
        if pool is None:
            pool = await asyncpg.create_pool(database_url.replace("+asyncpg", ""), min_size=8, max_size=8)
        async with pool.acquire() as conn:
            rows = await conn.fetch(QUERY)
        return Response(json.dumps({"items": [dict(row) for row in rows]}), media_type="application/json")

    return app


def main(port: int, kind: str, database_url: str = "") -> None:
    if kind == "house":
        configure_logging(service="kernel", level="info")
    app = {
        "bare": bare,
        "quiet": bare,
        "house": lambda: house(database_url),
        "asyncpg": lambda: with_asyncpg(database_url),
    }[kind]()
    # uvicorn's own access log stands against the house's: a service without one is nobody's peer.
    own_log = {} if kind not in {"house", "quiet"} else {"access_log": False, "log_config": None}
    config = uvicorn.Config(app, port=port, lifespan="off", **own_log)
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
