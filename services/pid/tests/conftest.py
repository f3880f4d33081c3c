"""The pid service as it runs: real PostgreSQL, real HTTP on a free port, real tokens; time stands still."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from indigo_contracts.dmp import Person
from indigo_contracts.envelope import Envelope, Fact
from indigo_contracts.repository import PlanLink, RecordKind, RecordSnapshot, RecordState
from indigo_kernel.auth.issuer import DevIssuer
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.clock import ManualClock
from indigo_kernel.db import migrate
from indigo_kernel.db.engine import create_engine
from indigo_kernel.db.jobs import Worker
from indigo_kernel.http.server import listen, serving
from indigo_kernel.ids import new_id
from indigo_kernel.runtime import Runtime
from indigo_pid.application.name_index import NameIndex
from indigo_pid.bootstrap import MIGRATIONS, build
from indigo_pid.settings import Settings

ISSUER = "https://issuer.example.org"
REPOSITORY = "https://repository.example.org"


@dataclass
class Pid:
    """A running service and what tests do with it."""

    runtime: Runtime
    settings: Settings
    clock: ManualClock
    bus: MemoryBus
    issuer: DevIssuer
    http: httpx.AsyncClient
    """Without credentials; redirects are not followed."""
    _numbers: list[int] = field(default_factory=lambda: [0])

    @property
    def index(self) -> NameIndex:
        """The names the resolver keeps in memory."""
        index = self.runtime.api.state.names
        assert isinstance(index, NameIndex)
        return index

    def auth(self, *scopes: str, who: str = "ana") -> dict[str, str]:
        """Headers of somebody with ``scopes``, and a key nobody used before."""
        self._numbers[0] += 1
        return {
            "authorization": f"Bearer {self.issuer.token(who, scopes)}",
            "idempotency-key": f"key-{self._numbers[0]}",
        }

    async def mint(self, *, who: str = "ana", **body: Any) -> dict[str, Any]:
        """Mint over HTTP for ``who``."""
        answer = await self.http.post("/api/identifiers", json=body, headers=self.auth("pid:mint", who=who))
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def envelope(self, fact: Fact, subject: str = "records/x", version: int = 1) -> Envelope:
        return Envelope.of(
            fact, id=new_id(), source=REPOSITORY, subject=subject, version=version, time=self.clock.now()
        )

    async def deliver(self, *facts: Fact) -> None:
        """Give facts to the subscription, one after another, as a bus does."""
        for fact in facts:
            await self.runtime.subscriptions[0].handler(self.envelope(fact))

    async def work_off(self) -> int:
        """Run the jobs that are due now, and those that become due by it; how many runs there were."""
        workers = [one for one in self.runtime.workers if isinstance(one, Worker)]
        runs = 0
        while claimed := sum([await worker._claim(100) for worker in workers]):
            runs += claimed
            while running := set[asyncio.Task[None]]().union(*(worker._running for worker in workers)):
                await asyncio.wait(running)
        return runs

    async def settle(self, *, rounds: int = 60, step: timedelta = timedelta(minutes=2)) -> None:
        """Let time pass until no registration is pending."""
        for _ in range(rounds):
            await self.work_off()
            answer = await self.http.get("/api/dois?status=pending", headers=self.auth("operator"))
            if not answer.json()["items"]:
                return
            self.clock.advance(step)
        raise AssertionError(f"Still pending: {answer.text}")

    async def facts(self, *names: str) -> list[dict[str, Any]]:
        """The payloads in the outbox in order, with ``fact`` added; of the named facts only if any is named."""
        async with self.runtime.database.engine.connect() as conn:
            rows = (await conn.execute(sa.text("SELECT fact, subject, body FROM outbox ORDER BY id"))).all()
        return [
            {"fact": row.fact, "subject": row.subject, **json.loads(row.body)["data"]}
            for row in rows
            if not names or row.fact in names
        ]

    async def identifier_of(self, record_id: str) -> dict[str, Any]:
        """The one identifier of a record, read over HTTP as a service of the suite reads it."""
        async with self.runtime.database.engine.connect() as conn:
            handle = (
                await conn.execute(
                    sa.text("SELECT handle FROM identifiers WHERE record_id = :id"), {"id": record_id}
                )
            ).scalar_one()
        answer = await self.http.get(f"/api/identifiers/{handle}", headers=self.auth("service", "operator"))
        found: dict[str, Any] = answer.json()
        return found

    async def doi(self, record_id: str) -> dict[str, Any]:
        """The registration of a record's DOI."""
        name = (await self.identifier_of(record_id))["doi"]
        answer = await self.http.get(f"/api/dois/{name}", headers=self.auth("operator"))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


Start = Callable[..., AbstractAsyncContextManager[Pid]]


class Databases:
    """A few migrated databases that tests use one after another: emptying one is faster than making one."""

    def __init__(self, make_database: Callable[[str], Any]) -> None:
        self._make = make_database
        self._urls: dict[str, str] = {}

    async def empty(self, name: str) -> str:
        """The URL of the database ``name``, with nothing in it."""
        known = self._urls.get(name)
        url = known or await self._make(name)
        engine = create_engine(url, application="test")
        if known is None:
            await migrate.upgrade(engine, MIGRATIONS)
            self._urls[name] = url
        async with engine.begin() as conn:
            tables = (
                await conn.execute(
                    sa.text(
                        "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = 'public'"
                        " AND tablename <> 'alembic_version'"
                    )
                )
            ).scalar_one()
            await conn.execute(sa.text(f"TRUNCATE {tables}"))
        await engine.dispose()
        return url


@pytest.fixture(scope="session")
def databases(make_database) -> Databases:
    return Databases(make_database)


@pytest.fixture(scope="session")
def start_pid(databases, tmp_path_factory) -> Start:
    """Starts a service: ``async with start_pid(doi_prefix=…) as pid`` with settings as named. One at a time.

    With ``starts=False`` it answers without having looked for its database first.
    """
    issuer_directory = tmp_path_factory.mktemp("issuer")

    @asynccontextmanager
    async def start(*, starts: bool = True, **settings: Any) -> AsyncIterator[Pid]:
        clock = ManualClock()
        issuer = DevIssuer(issuer_directory, ISSUER, clock=clock)
        bus = MemoryBus(clock=clock)
        bound = listen("127.0.0.1", 0)
        public_url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        values = {
            "database_url": await databases.empty("pid"),
            "public_url": public_url,
            "secret_key": "a key for tests only",
            **settings,
        }
        read = Settings(**values)
        verifier = TokenVerifier([issuer.trusted()], "indigo", clock)
        runtime = build(read, clock=clock, bus=bus, verifier=verifier)
        await bus.start()
        if starts:
            await runtime.start()
        async with serving(runtime.api, bound), httpx.AsyncClient(base_url=public_url, timeout=60) as http:
            yield Pid(runtime, read, clock, bus, issuer, http)
        await runtime.stop()
        await bus.stop()

    return start


@pytest_asyncio.fixture
async def pid(start_pid: Start) -> AsyncIterator[Pid]:
    """The service with its own sandbox registrar."""
    async with start_pid() as running:
        yield running


@pytest.fixture
def record() -> Callable[..., RecordSnapshot]:
    """Makes records of the repository."""

    def make(record_id: str = "r1", **changes: Any) -> RecordSnapshot:
        values: dict[str, Any] = {
            "record_id": record_id,
            "kind": RecordKind.DATASET,
            "state": RecordState.DRAFT,
            "version": 1,
            "title": "Water quality of the reservoir",
            "creators": [
                Person(
                    name="Carberry, Josiah",
                    identifier="https://orcid.org/0000-0002-1825-0097",
                    affiliation="Brown University",
                )
            ],
            "publisher": "INDIGO Preservation Repository",
            "publication_date": date(2026, 1, 1),
            "license": "https://creativecommons.org/licenses/by/4.0/",
            "url": f"{REPOSITORY}/records/{record_id}",
            "api_url": f"{REPOSITORY}/api/records/{record_id}",
            "plan": PlanLink(plan_id="p1", edition=1, output="water"),
        }
        return RecordSnapshot(**{**values, **changes})

    return make
