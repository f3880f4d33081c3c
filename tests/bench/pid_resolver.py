"""The resolver with a million names: how fast it is there, what it holds, what a redirect costs, with and without
its database, and how long ten thousand reservations take.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from pathlib import Path

import httpx
import psutil
from indigo_dev.postgres import EmbeddedPostgres
from indigo_kernel.auth.issuer import DevIssuer
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.clock import SystemClock
from indigo_kernel.db import migrate
from indigo_kernel.db.engine import create_engine
from indigo_kernel.http.server import started
from indigo_kernel.logging import configure_logging
from indigo_pid.adapters.db.index_feed import PostgresFeed
from indigo_pid.adapters.index_file import DiskIndex
from indigo_pid.application.index_keeper import IndexKeeper
from indigo_pid.application.name_index import Mode, NameIndex
from indigo_pid.bootstrap import MIGRATIONS, build
from indigo_pid.domain.names import Naming
from indigo_pid.settings import Settings
from load import server
from pid_server import BASE, suffix
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

NAMES = 1_000_000
RESERVED = 10_000
REQUESTS = 20_000
CONNECTIONS = 16

_FILL = text(
    "INSERT INTO identifiers (handle, handle_key, ark, ark_key, doi, resolver_url, state, version, target, head,"
    " created_at, updated_at)"
    " SELECT '21.T99999/' || s, '21.t99999/' || s, 'ark:/99999/' || s, '99999/' || s, '10.5072/' || s, '', 'active',"
    " 1, 'https://data.example.org/records/' || n, repeat('0', 64), now(), now()"
    " FROM (SELECT n, 'n' || lpad(n::text, 10, '0') AS s FROM generate_series(CAST(:least AS int), CAST(:most AS int)) n)"
)


async def _prepare(url: str) -> None:
    engine = create_engine(url, application="bench")
    await migrate.upgrade(engine, MIGRATIONS)
    async with engine.connect() as conn:
        for start in range(0, NAMES, 50_000):  # a statement may take a minute
            await conn.execute(_FILL, {"least": start, "most": start + 49_999})
        await conn.commit()
    await engine.dispose()


async def _loaded(engine: AsyncEngine, file: DiskIndex | None) -> tuple[float, NameIndex]:
    """Seconds until an index of this process follows the database."""
    index = NameIndex(Naming("21.T99999", "10.5072", "99999", BASE), 5_000_000, time.monotonic)
    keeper = IndexKeeper(index, PostgresFeed(engine), file)
    began = time.perf_counter()
    keeper.start()
    while index.mode is not Mode.CURRENT:
        await asyncio.sleep(0.01)
    took = time.perf_counter() - began
    if file is not None:
        while file.read() is None:
            await asyncio.sleep(0.1)
    await keeper.stop()
    return took, index


async def _load(url: str, folder: Path) -> list[tuple[str, str]]:
    engine = create_engine(url, application="bench")
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    took, index = await _loaded(engine, None)
    gc.collect()
    held = process.memory_info().rss - before
    assert len(index) == NAMES
    file = DiskIndex(folder / "names", "bench")
    await _loaded(engine, file)
    began = time.perf_counter()
    assert len(file.read() or {}) == NAMES
    read = time.perf_counter() - began
    await engine.dispose()
    return [
        (f"{NAMES} names from PostgreSQL into memory", f"{took:.1f} s"),
        (f"{NAMES} names from the resolver's file", f"{read:.1f} s"),
        (f"memory of {NAMES} names, three faces each", f"{held / 1e6:.0f} MB"),
    ]


async def _reserve(url: str, folder: Path) -> tuple[float, float]:
    """Seconds, and seconds of CPU outside PostgreSQL, for 10 000 identifiers over HTTP without a network; the best of four."""
    clock = SystemClock()
    issuer = DevIssuer(folder / "issuer", "https://issuer.example.org", clock=clock)
    bus = MemoryBus(clock=clock)
    settings = Settings(database_url=url, public_url=BASE, secret_key="a key for the benchmark")
    runtime = build(settings, clock=clock, bus=bus, verifier=TokenVerifier([issuer.trusted()], "indigo", clock))
    took = []
    transport = httpx.ASGITransport(app=runtime.api)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, timeout=60) as http:
        await http.get("/livez")  # a first request has the names read, which is not to be measured here
        while runtime.api.state.names.mode is not Mode.CURRENT:
            await asyncio.sleep(0.1)
        started()
        for number in range(4):
            headers = {
                "authorization": f"Bearer {issuer.token('ana', ['pid:mint'])}",
                "idempotency-key": f"bench-{number}",
            }
            began, busy = time.perf_counter(), time.process_time()
            made = await http.post("/api/identifiers/bulk", json={"count": RESERVED}, headers=headers)
            took.append((time.perf_counter() - began, time.process_time() - busy))
            assert len(made.json()["items"]) == RESERVED
    await runtime.stop()
    return min(took)


async def _connection(port: int, names: list[str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for name in names:
            writer.write(f"GET /21.T99999/{name} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 302"):
                raise RuntimeError(head.decode())
    finally:
        writer.close()


def _cpu_per_redirect(port: int, process: psutil.Process) -> float:
    """Microseconds of server CPU per redirect; the first tenth warms up and is not counted."""

    async def burst(count: int) -> None:
        each = count // CONNECTIONS
        names = [suffix(number * 7919 % NAMES) for number in range(count)]
        await asyncio.gather(*(_connection(port, names[n * each : (n + 1) * each]) for n in range(CONNECTIONS)))

    asyncio.run(burst(REQUESTS // 10))
    before = sum(process.cpu_times()[:2])
    asyncio.run(burst(REQUESTS))
    return (sum(process.cpu_times()[:2]) - before) / REQUESTS * 1e6


def _in_turns(*servers: tuple[int, psutil.Process]) -> list[float]:
    """The least each of the servers took in three rounds, one after another: they see the same machine."""
    rounds = [[_cpu_per_redirect(*one) for one in servers] for _ in range(3)]
    return [min(took) for took in zip(*rounds, strict=True)]


def _await_mode(port: int, mode: str) -> None:
    while httpx.get(f"http://127.0.0.1:{port}/mode").text != mode:
        httpx.get(f"http://127.0.0.1:{port}/livez")
        time.sleep(0.05)


def run() -> list[tuple[str, str]]:
    configure_logging(service="pid", level="error")
    with tempfile.TemporaryDirectory(prefix="indigo-bench-") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "pg", durable=False) as postgres:
            asyncio.run(postgres.ensure_databases(["pid"]))
            url = postgres.database_url("pid")
            asyncio.run(_prepare(url))
            figures = asyncio.run(_load(url, Path(folder)))
            reserve = asyncio.run(_reserve(url, Path(folder)))
            with (
                server("pid_server.py", "bare", str(NAMES)) as (bare_port, bare_process),
                server("pid_server.py", "resolver", url) as (port, process),
            ):
                _await_mode(port, "1")
                bare, ours = _in_turns((bare_port, bare_process), (port, process))
                postgres.stop()
                _await_mode(port, "2")
                bare_again, alone = _in_turns((bare_port, bare_process), (port, process))
    return [
        *figures,
        (
            f"{RESERVED} identifiers reserved in one request, next to {NAMES}",
            f"{reserve[0]:.2f} s, {reserve[1]:.2f} s CPU beside PostgreSQL's",
        ),
        ("redirect, bare ASGI application with a dictionary", f"{bare:.0f} µs CPU"),
        ("redirect, resolver", f"{ours:.0f} µs CPU, {ours / bare:.2f}x"),
        (
            "redirect, resolver with PostgreSQL stopped, no errors",
            f"{alone:.0f} µs CPU, {alone / bare_again:.2f}x",
        ),
    ]


if __name__ == "__main__":
    for name, figure in run():
        print(f"{name:<60} {figure}")
