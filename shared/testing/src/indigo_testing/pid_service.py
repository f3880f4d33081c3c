"""The identifier service alone, on a port of its own, for foreign clients and the browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from indigo_kernel.auth.issuer import DevIssuer
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.clock import SystemClock
from indigo_kernel.db import migrate
from indigo_kernel.db.engine import create_engine
from indigo_kernel.http.server import listen, serving
from indigo_kernel.runtime import Runtime
from indigo_pid.bootstrap import MIGRATIONS, build
from indigo_pid.settings import Settings


@dataclass(frozen=True, slots=True)
class PidService:
    """Its address, who gives tokens for it, and what it is made of."""

    url: str
    issuer: DevIssuer
    runtime: Runtime


@asynccontextmanager
async def pid_service(database_url: str, folder: Path) -> AsyncIterator[PidService]:
    """The service on an empty database, with its sandbox registrars; ``folder`` keeps the issuer's keys."""
    clock = SystemClock()
    issuer = DevIssuer(folder, "https://issuer.example.org", clock=clock)
    bus = MemoryBus(clock=clock)
    engine = create_engine(database_url, application="test")
    await migrate.upgrade(engine, MIGRATIONS)
    await engine.dispose()
    bound = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    settings = Settings.model_validate(
        {"database_url": database_url, "public_url": url, "secret_key": "a key for tests only"}
    )
    runtime = build(settings, clock=clock, bus=bus, verifier=TokenVerifier([issuer.trusted()], "indigo", clock))
    await bus.start()
    await runtime.start()
    async with serving(runtime.api, bound):
        yield PidService(url, issuer, runtime)
    await runtime.stop()
    await bus.stop()
