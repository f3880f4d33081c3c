"""Thousands of DOIs through a registrar with 20 % server errors, 5 % lost replies and 5 % 429s.

``pid_registrar.py [COUNT]``. The service's clock is moved by hand, a tenth of a second for each batch of requests
and a second when nothing is due, so the pauses it makes cost no time here and count nevertheless.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import httpx
from indigo_contracts.dmp import Person
from indigo_contracts.envelope import Envelope
from indigo_contracts.repository import RecordKind, RecordPublished, RecordSnapshot, RecordState
from indigo_dev.postgres import EmbeddedPostgres
from indigo_kernel.auth.issuer import DevIssuer
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.clock import ManualClock
from indigo_kernel.db import migrate
from indigo_kernel.db.engine import create_engine
from indigo_kernel.db.jobs import Worker
from indigo_kernel.http.server import listen, serving
from indigo_kernel.ids import new_id
from indigo_kernel.logging import configure_logging
from indigo_kernel.runtime import Runtime
from indigo_pid.bootstrap import MIGRATIONS, build
from indigo_pid.sandbox.app import Account, SandboxRegistrar, create_sandbox
from indigo_pid.sandbox.faults import Faults, FaultyRegistrar
from indigo_pid.sandbox.store import SandboxStore
from indigo_pid.settings import Settings
from sqlalchemy import text
from starlette.types import Receive, Scope, Send

DOIS = 1_000
FAULTS = Faults(server_errors=0.2, lost_replies=0.05, too_many=0.05, retry_after=1)
ACCOUNT = Account("INDIGO.REPO", "secret", frozenset({"10.5072"}))
BATCH = 32
"""DOIs at a time: those whose replies are lost wait for their time limit together."""


class Counting:
    """A registrar that counts the requests to write."""

    def __init__(self, app: FaultyRegistrar) -> None:
        self.app = app
        self.puts = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.puts += scope["type"] == "http" and scope["method"] == "PUT"
        await self.app(scope, receive, send)


def _record(number: int) -> RecordSnapshot:
    return RecordSnapshot(
        record_id=f"r{number}",
        kind=RecordKind.DATASET,
        state=RecordState.PUBLISHED,
        version=1,
        title=f"Water quality {number}",
        creators=[Person(name="Carberry, Josiah")],
        publisher="INDIGO Preservation Repository",
        publication_date=date(2026, 1, 1),
        url=f"https://repository.example.org/records/r{number}",
        api_url=f"https://repository.example.org/api/records/r{number}",
    )


async def _publish(runtime: Runtime, count: int) -> None:
    """Deliver the facts as a bus does."""
    (records,) = runtime.subscriptions
    now = runtime.database.clock.now()
    for number in range(count):
        fact = RecordPublished(record=_record(number))
        await records.handler(
            Envelope.of(
                fact,
                id=new_id(),
                source="https://repository.example.org",
                subject=f"records/r{number}",
                version=1,
                time=now,
            )
        )


async def _converge(runtime: Runtime, clock: ManualClock) -> float:
    """Work until no job is left; the seconds that took by the service's clock."""
    worker = runtime.workers[0]
    assert isinstance(worker, Worker)
    began = clock.now()
    while True:
        claimed = await worker._claim(BATCH)
        if worker._running:
            await asyncio.wait(worker._running)
        clock.advance(timedelta(seconds=0.1 if claimed else 1))
        if not claimed:
            async with runtime.database.engine.connect() as conn:
                if not (await conn.execute(text("SELECT count(*) FROM jobs"))).scalar_one():
                    return (clock.now() - began).total_seconds()


async def _measure(postgres: EmbeddedPostgres, folder: Path, count: int) -> list[tuple[str, str]]:
    clock = ManualClock()
    urls = {}
    for name in ("pid", "registrar"):
        await postgres.ensure_databases([name])
        urls[name] = postgres.database_url(name)
        engine = create_engine(urls[name], application="bench")
        await migrate.upgrade(engine, MIGRATIONS)
        await engine.dispose()
    engine = create_engine(urls["registrar"], application="registrar")
    sandbox = create_sandbox(SandboxRegistrar(SandboxStore(engine, clock), ACCOUNT))
    faulty = FaultyRegistrar(sandbox, random.Random(1))
    faulty.faults = FAULTS
    registrar = Counting(faulty)
    bound = listen("127.0.0.1", 0)
    issuer = DevIssuer(folder / "issuer", "https://issuer.example.org", clock=clock)
    settings = Settings(
        database_url=urls["pid"],
        public_url="https://pid.example.org",
        secret_key="a key for the benchmark",
        datacite_url=f"http://127.0.0.1:{bound.getsockname()[1]}",
        datacite_password="secret",
        datacite_seconds=1.0,
        datacite_rate=10_000,
    )
    bus = MemoryBus(clock=clock)
    runtime = build(settings, clock=clock, bus=bus, verifier=TokenVerifier([issuer.trusted()], "indigo", clock))
    await bus.start()
    await runtime.start()
    async with serving(registrar, bound):
        began = time.perf_counter()
        await _publish(runtime, count)
        publishing = time.perf_counter() - began
        began = time.perf_counter()
        simulated = await _converge(runtime, clock)
        took = time.perf_counter() - began
        faulty.faults = Faults()
        token = {"authorization": f"Bearer {issuer.token('ana', ['operator'])}"}
        transport = httpx.ASGITransport(app=runtime.api)
        async with httpx.AsyncClient(transport=transport, base_url="http://pid", timeout=120) as http:
            answer = await http.get("/api/dois/drift", headers=token)
            report = answer.raise_for_status().json()
        async with runtime.database.engine.connect() as conn:
            told = await conn.execute(text("SELECT count(*) FROM outbox WHERE fact = 'pid.doi.registered.v1'"))
            facts = told.scalar_one()
    await runtime.stop()
    await bus.stop()
    await engine.dispose()
    exact = report["remote"] == report["compared"] == facts == count and not report["items"]
    if not exact:
        raise RuntimeError(f"{count} wanted, {report} and {facts} facts found")
    return [
        (f"{count} records published: names and wanted registrations", f"{count / publishing:.0f}/s"),
        (
            f"{count} DOIs, 20 % 5xx, 5 % lost replies, 5 % 429",
            f"{count} there, none twice, none lost; {registrar.puts / count:.2f} requests per DOI",
        ),
        ("until all were registered", f"{simulated:.0f} s with every pause, {took:.0f} s of work"),
    ]


def run(count: int = DOIS) -> list[tuple[str, str]]:
    configure_logging(service="pid", level="error")
    with tempfile.TemporaryDirectory(prefix="indigo-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder / "pg", durable=False) as postgres:
            return asyncio.run(_measure(postgres, folder, count))


if __name__ == "__main__":
    for name, figure in run(int(sys.argv[1]) if len(sys.argv) > 1 else DOIS):
        print(f"{name:<60} {figure}")
