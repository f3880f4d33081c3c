"""The path of an event: how many a relay moves in a second, and how long from commit to effect elsewhere.

A real PostgreSQL with its usual durability and a real RabbitMQ with a quorum queue, both private, both on this
machine next to the benchmark.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import sqlalchemy as sa
import uvloop
from indigo_contracts.dmp import PlanCreated
from indigo_contracts.envelope import Envelope
from indigo_dev.postgres import EmbeddedPostgres
from indigo_dev.rabbitmq import PrivateRabbit, ensure_installed
from indigo_kernel.bus.amqp import AmqpBus
from indigo_kernel.bus.ports import Subscription
from indigo_kernel.clock import SystemClock
from indigo_kernel.db.engine import create_engine
from indigo_kernel.db.inbox import subscription
from indigo_kernel.db.relay import Relay
from indigo_kernel.db.tables import NAMING, kernel_tables
from indigo_kernel.db.uow import Database, UnitOfWork

EVENTS = 6000
RATE = 300
SECONDS = 20


async def make(url: str, role: str) -> Database:
    engine = create_engine(url, application=role)
    metadata = sa.MetaData(naming_convention=NAMING)
    kernel_tables(metadata)
    sa.Table("aggregates", metadata, sa.Column("id", sa.Text, primary_key=True), sa.Column("n", sa.Integer))
    sa.Table("effects", metadata, sa.Column("id", sa.Text, primary_key=True))
    async with engine.begin() as conn:
        await conn.run_sync(metadata.create_all)
    return Database(engine, SystemClock(), "http://127.0.0.1")


@contextlib.asynccontextmanager
async def relaying(database: Database, bus: AmqpBus) -> AsyncIterator[None]:
    relay = Relay(database.engine, bus, service="bench")
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        await relay.stop()
        await task


async def fill(database: Database, count: int) -> None:
    for start in range(0, count, 500):
        async with UnitOfWork(database) as uow:
            for n in range(start, start + 500):
                uow.emit(PlanCreated(plan_id=f"{n}", version=1), subject=f"plans/{n}", version=1)


async def drained(database: Database) -> None:
    async with database.engine.connect() as conn:
        while await conn.scalar(sa.text("SELECT count(*) FROM outbox")):
            await conn.rollback()
            await asyncio.sleep(0.05)


async def throughput(database: Database, amqp_url: str) -> float:
    """Events per second from a full outbox through the relay into a quorum queue."""
    bus = AmqpBus(amqp_url, name="bench-relay")

    async def ignore(_: Envelope) -> None: ...

    await bus.start()
    # Declared, then left without a consumer: the queue takes everything and nobody competes for the CPU.
    await bus.subscribe([Subscription("bench", "sink", (PlanCreated.fact,), ignore)])
    await bus.stop()
    await fill(database, EVENTS)
    bus = AmqpBus(amqp_url, name="bench-relay")
    await bus.start()
    began = time.perf_counter()
    async with relaying(database, bus):
        await drained(database)
    took = time.perf_counter() - began
    await bus.stop()
    return EVENTS / took


async def receive(url: str, amqp_url: str) -> None:
    """The other service: applies each event in a transaction and tells when that was committed, on a line."""
    there = Database(create_engine(url, application="there"), SystemClock(), "http://127.0.0.1")

    async def apply(uow: UnitOfWork, fact: PlanCreated, _: Envelope) -> None:
        await uow.conn.execute(sa.text("INSERT INTO effects VALUES (:id)"), {"id": fact.plan_id})
        uow.after_commit(lambda: print(fact.plan_id, time.time(), flush=True))

    bus = AmqpBus(amqp_url, name="bench-there")
    await bus.start()
    await bus.subscribe([subscription("bench", "effects", lambda: UnitOfWork(there), {PlanCreated: apply})])
    print("ready", 0, flush=True)
    await asyncio.Event().wait()


async def latency(here: Database, url: str, amqp_url: str) -> list[float]:
    """Milliseconds from just before the command's commit to just after the commit of its effect elsewhere."""
    began: dict[str, float] = {}
    took: list[float] = []
    other = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "receive", url, amqp_url, stdout=asyncio.subprocess.PIPE
    )
    assert other.stdout

    async def command(n: int) -> None:
        plan_id = f"latency-{n}"
        async with UnitOfWork(here) as uow:
            await uow.conn.execute(sa.text("INSERT INTO aggregates VALUES (:id, 1)"), {"id": plan_id})
            uow.emit(PlanCreated(plan_id=plan_id, version=1), subject=f"plans/{plan_id}", version=1)
            began[plan_id] = time.time()

    async def listen() -> None:
        assert other.stdout
        while len(took) < RATE * SECONDS:
            plan_id, at = (await other.stdout.readline()).split()
            took.append((float(at) - began[plan_id.decode()]) * 1000)

    bus = AmqpBus(amqp_url, name="bench-here")
    await bus.start()
    await other.stdout.readline()
    async with relaying(here, bus):
        listening = asyncio.create_task(listen())
        tasks = []
        start = time.perf_counter()
        for n in range(RATE * SECONDS):  # an open model: commands come when they come, not when we are ready
            await asyncio.sleep(max(0.0, start + n / RATE - time.perf_counter()))
            tasks.append(asyncio.create_task(command(n)))
        await asyncio.gather(*tasks)
        await listening
    other.terminate()
    await other.wait()
    await bus.stop()
    return took[RATE * 2 :]  # the first two seconds warm caches and prepared statements


async def measure(postgres: EmbeddedPostgres, rabbit: PrivateRabbit) -> list[tuple[str, str]]:
    await postgres.ensure_databases(["here", "there"])
    here = await make(postgres.database_url("here"), "here")
    there = await make(postgres.database_url("there"), "there")
    await there.engine.dispose()
    rate = await throughput(here, rabbit.url)
    times = sorted(await latency(here, postgres.database_url("there"), rabbit.url))
    await here.engine.dispose()
    quantiles = statistics.quantiles(times, n=100)
    return [
        (f"relay, batch 100, {EVENTS} events into a quorum queue", f"{rate:.0f} events/s"),
        (
            f"commit to effect in another database, {RATE} events/s for {SECONDS} s",
            f"p50 {quantiles[49]:.1f} ms, p95 {quantiles[94]:.1f} ms, p99 {quantiles[98]:.1f} ms",
        ),
    ]


def run() -> list[tuple[str, str]]:
    ensure_installed()
    with tempfile.TemporaryDirectory(prefix="indigo-bench-") as folder:
        Path(folder).chmod(0o755)
        postgres, rabbit = EmbeddedPostgres(Path(folder) / "pg"), PrivateRabbit(Path(folder) / "mq")
        with postgres, rabbit, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(measure(postgres, rabbit))


if __name__ == "__main__":
    if sys.argv[1:2] == ["receive"]:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(receive(*sys.argv[2:]))
    for name, figure in run():
        print(f"{name:<70} {figure}")
