"""The gateway as it runs: real PostgreSQL, real directories, real tokens, its HTTP application, a repository to read."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from fastapi import FastAPI, Request
from indigo_contracts.dmp import (
    OutputKind,
    Person,
    PlannedOutput,
    PlanPublished,
    PlanSnapshot,
    PlanState,
    StoragePromise,
)
from indigo_contracts.envelope import Envelope, Fact
from indigo_contracts.repository import (
    PlanLink,
    RecordFile,
    RecordKind,
    RecordPublished,
    RecordSnapshot,
    RecordState,
)
from indigo_kernel.auth.client import ServiceTokens
from indigo_kernel.auth.issuer import DevIssuer
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.clock import ManualClock
from indigo_kernel.db import migrate
from indigo_kernel.db.engine import create_engine
from indigo_kernel.db.jobs import Worker
from indigo_kernel.ids import new_id
from indigo_kernel.runtime import Background, Runtime
from indigo_qos_gateway.bootstrap import MIGRATIONS, build
from indigo_qos_gateway.settings import Settings
from starlette.responses import Response

REPOSITORY = "http://repository.example.org"
GATEWAY = "http://gateway.example.org"
START = ManualClock().now()


@dataclass
class Repository:
    """Files over HTTP, as the repository serves them; it notes who asks."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    status: int = 200

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/{path:path}")
        async def content(path: str, request: Request) -> Response:
            self.asked.append((path, request.headers.get("authorization", "")))
            if self.status != 200 or path not in self.files:
                return Response(status_code=404 if self.status == 200 else self.status)
            return Response(self.files[path])

        return app

    def record(self, record_id: str, files: dict[str, bytes], **changes: Any) -> RecordSnapshot:
        """A published record whose files are served here."""
        made = []
        for key, data in files.items():
            self.files[f"api/records/{record_id}/files/{key}/content"] = data
            made.append(
                RecordFile(
                    key=key,
                    size=len(data),
                    sha256=hashlib.sha256(data).hexdigest(),
                    mimetype="text/csv",
                    url=f"{REPOSITORY}/api/records/{record_id}/files/{key}/content",
                )
            )
        values: dict[str, Any] = {
            "record_id": record_id,
            "kind": RecordKind.DATASET,
            "state": RecordState.PUBLISHED,
            "version": 1,
            "title": "Penguins",
            "publisher": "Ifca",
            "url": f"{REPOSITORY}/records/{record_id}",
            "api_url": f"{REPOSITORY}/api/records/{record_id}",
            "files": made,
            "plan": PlanLink(plan_id="p", edition=1, output="data"),
        }
        return RecordSnapshot(**{**values, **changes})


def plan(edition: int = 1, *, version: int | None = None, **outputs: StoragePromise | str | None) -> PlanSnapshot:
    """A published plan ``p`` whose outputs promise these classes."""
    promises = {
        key: StoragePromise(storage_class=each) if isinstance(each, str) else each for key, each in outputs.items()
    }
    return PlanSnapshot(
        plan_id="p",
        version=version or edition * 10,
        edition=edition,
        state=PlanState.PUBLISHED,
        title="A plan",
        contact=Person(name="Ana"),
        created=START,
        modified=START,
        url="http://dmp.example.org/plans/p",
        outputs=[
            PlannedOutput(key=key, kind=OutputKind.DATASET, title=key, storage=promise)
            for key, promise in promises.items()
        ],
        madmp={"dmp": {}},
    )


@dataclass
class Qos:
    """A running gateway and what tests do with it."""

    runtime: Runtime
    clock: ManualClock
    issuer: DevIssuer
    http: httpx.AsyncClient
    repository: Repository
    directory: Path
    _numbers: list[int] = field(default_factory=lambda: [0])

    def auth(self, *scopes: str, who: str = "ana") -> dict[str, str]:
        """Headers of somebody with ``scopes`` (``qos:change`` when none is named), and a fresh key."""
        self._numbers[0] += 1
        token = self.issuer.token(who, scopes or ("qos:change",))
        return {"authorization": f"Bearer {token}", "idempotency-key": f"key-{self._numbers[0]}"}

    async def store(self, path: str, data: bytes, mimetype: str = "application/octet-stream") -> None:
        answer = await self.http.put(path, content=data, headers=self.auth() | {"content-type": mimetype})
        assert answer.status_code in {201, 204}, answer.text

    async def slowly(self, path: str) -> tuple[asyncio.Task[httpx.Response], asyncio.Event]:
        """An upload of ``new`` that has begun, and the event that lets it end."""
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def chunks() -> AsyncIterator[bytes]:
            yield b"n"
            begun.set()
            await go_on.wait()
            yield b"ew"

        storing = asyncio.create_task(self.http.put(path, content=chunks(), headers=self.auth()))
        async with asyncio.timeout(20):
            await begun.wait()
        return storing, go_on

    async def cdmi(self, path: str) -> dict[str, Any]:
        """An object in the INDIGO dialect."""
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def change(self, path: str, uri: str, **headers: str) -> httpx.Response:
        """Ask for another class as gfal2 does."""
        return await self.http.put(
            path,
            content=json.dumps({"capabilitiesURI": uri}),
            headers=self.auth() | {"content-type": "application/cdmi-object"} | headers,
        )

    async def bring(self, path: str, name: str, kind: str = "dataobject") -> None:
        assert (await self.change(path, f"/cdmi_capabilities/{kind}/{name}")).status_code == 204
        await self.work_off()

    async def deliver(self, *facts: Fact) -> None:
        """Give facts to the subscription, one after another, as a bus does."""
        for fact in facts:
            await self.runtime.subscriptions[0].handler(self.envelope(fact))

    def envelope(self, fact: Fact) -> Envelope:
        return Envelope.of(fact, id=new_id(), source=REPOSITORY, subject="x/y", version=1, time=self.clock.now())

    async def publish(self, *documents: PlanSnapshot | RecordSnapshot) -> None:
        await self.deliver(
            *(
                PlanPublished(plan=each) if isinstance(each, PlanSnapshot) else RecordPublished(record=each)
                for each in documents
            )
        )

    async def work_off(self) -> int:
        """Run the jobs that are due now, and those that become due by it; how many runs there were."""
        runs = 0
        while claimed := [await self._claimed(each) for each in self.runtime.workers]:
            if not sum(claimed):
                return runs
            runs += sum(claimed)
        return runs

    async def _claimed(self, worker: Background) -> int:
        assert isinstance(worker, Worker)
        claimed = await worker._claim(100)
        while worker._running:
            await asyncio.wait(worker._running)
        return claimed

    @asynccontextmanager
    async def drives_taken(self) -> AsyncIterator[Any]:
        """Nothing of the root can be copied in the block, as on a tape system with all drives taken; gives the drives."""
        backend = self.runtime.api.state.gateway.gateway.mounts.at("/").backend
        drives = getattr(backend, "_home", backend)._drives
        others = [asyncio.create_task(asyncio.Event().wait()) for _ in range(2)]
        drives._tasks.update(others)
        yield drives
        for each in others:
            each.cancel()
        drives._tasks.difference_update(others)
        for _ in others:
            drives._begin()

    async def rows(self, query: str) -> list[Any]:
        async with self.runtime.database.engine.connect() as conn:
            return list((await conn.execute(sa.text(query))).all())

    async def facts(self) -> list[tuple[str, dict[str, Any]]]:
        """What was told: the last word of each fact's name, and its transition."""
        return [
            (row.fact.split(".")[2], json.loads(row.body)["data"]["transition"])
            for row in await self.rows("SELECT fact, body FROM outbox ORDER BY id")
        ]


Start = Callable[..., AbstractAsyncContextManager[Qos]]


@pytest_asyncio.fixture(scope="session")
async def database(make_database) -> str:
    """A migrated database that every test finds empty: emptying it is faster than making one."""
    url = await make_database("qos")
    engine = create_engine(url, application="test")
    await migrate.upgrade(engine, MIGRATIONS)
    await engine.dispose()
    return url


@pytest.fixture
def start_qos(database, tmp_path) -> Start:
    """Starts a gateway: ``async with start_qos(transition_attempts=1) as qos``; again on the same data too."""
    clock = ManualClock()
    issuer = DevIssuer(tmp_path, "https://issuer.example.org", clock=clock)
    repository = Repository()

    @asynccontextmanager
    async def start(*, keep: bool = False, **settings: Any) -> AsyncIterator[Qos]:
        read = Settings(
            **{
                "database_url": database,
                "public_url": GATEWAY,
                "secret_key": "a key for tests only",
                "repository_url": REPOSITORY,
                "posix_disk_dir": tmp_path / "disk",
                "posix_tape_dir": tmp_path / "tape",
                "posix_country": "ES",
                **settings,
            }
        )
        runtime = build(
            read,
            clock=clock,
            bus=MemoryBus(clock=clock),
            verifier=TokenVerifier([issuer.trusted()], "indigo", clock),
            service_auth=ServiceTokens(issuer.source("service:qos", ["service"], audience="indigo"), clock),
            transport=httpx.ASGITransport(repository.app()),
        )
        if not keep:
            await empty(runtime)
        transport = httpx.ASGITransport(runtime.api)
        async with httpx.AsyncClient(transport=transport, base_url=GATEWAY) as http:
            yield Qos(runtime, clock, issuer, http, repository, tmp_path)
        await runtime.stop()

    return start


async def empty(runtime: Runtime) -> None:
    async with runtime.database.engine.begin() as conn:
        tables = (
            await conn.execute(
                sa.text(
                    "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = 'public'"
                    " AND tablename <> 'alembic_version'"
                )
            )
        ).scalar_one()
        await conn.execute(sa.text(f"TRUNCATE {tables}"))


@pytest_asyncio.fixture
async def qos(start_qos: Start) -> AsyncIterator[Qos]:
    async with start_qos() as running:
        yield running


@pytest.fixture
def make_plan() -> Callable[..., PlanSnapshot]:
    return plan
