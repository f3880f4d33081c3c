"""What the house's conventions cost: a typed item against bare FastAPI, a page of rows against asyncpg and json."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from indigo_dev.postgres import EmbeddedPostgres
from indigo_kernel.db.engine import create_engine
from load import cpu_per_request, server
from sqlalchemy import text


async def _fill(url: str) -> None:
    engine = create_engine(url, application="bench")
    async with engine.begin() as conn:
        await conn.execute(text("CREATE TABLE items (id int PRIMARY KEY, name text, size int)"))
        await conn.execute(
            text("INSERT INTO items SELECT n, 'file-' || n, n * 10 FROM generate_series(1, 5000) n")
        )
    await engine.dispose()


def run() -> list[tuple[str, str]]:
    with tempfile.TemporaryDirectory(prefix="indigo-bench-") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "pg", durable=False) as postgres:
            asyncio.run(postgres.ensure_databases(["bench"]))
            url = postgres.database_url("bench")
            asyncio.run(_fill(url))
            with server("http_server.py", "bare") as (port, process):
                bare = cpu_per_request(port, process, "/item")
            with server("http_server.py", "house", url) as (port, process):
                house = cpu_per_request(port, process, "/item")
                principal = cpu_per_request(port, process, "/item-for-somebody")
                page = cpu_per_request(port, process, "/rows", count=2000)
            with server("http_server.py", "asyncpg", url) as (port, process):
                plain = cpu_per_request(port, process, "/rows", count=2000)
    return [
        ("typed item, bare FastAPI with uvicorn's access log", f"{bare:.0f} µs CPU"),
        ("typed item, with limits, trace, log and metrics", f"{house:.0f} µs CPU, {house / bare:.2f}x"),
        ("typed item, that and the principal", f"{principal:.0f} µs CPU, {principal / bare:.2f}x"),
        ("page of 50 rows, asyncpg and json on bare FastAPI", f"{plain:.0f} µs CPU"),
        ("page of 50 rows, typed route over SQLAlchemy Core", f"{page:.0f} µs CPU, {page / plain:.2f}x"),
    ]


if __name__ == "__main__":
    for name, figure in run():
        print(f"{name:<60} {figure}")
