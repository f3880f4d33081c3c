"""The integrity service as it runs: real PostgreSQL, real tokens, a small repository; time stands still."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from indigo_contracts.dmp import Person, PlannedOutput, PlanPublished, PlanSnapshot, PlanState
from indigo_contracts.envelope import Envelope, Fact
from indigo_contracts.repository import (
    PlanLink,
    RecordFile,
    RecordKind,
    RecordPublished,
    RecordSnapshot,
    RecordState,
)
from indigo_integrity.bootstrap import MIGRATIONS, build
from indigo_integrity.settings import Settings
from indigo_kernel.auth.client import ServiceTokens
from indigo_kernel.auth.issuer import DevIssuer
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.clock import ManualClock
from indigo_kernel.db import migrate
from indigo_kernel.db.engine import create_engine
from indigo_kernel.db.jobs import Worker
from indigo_kernel.ids import new_id
from indigo_kernel.runtime import Runtime

ISSUER = "https://issuer.example.org"
REPOSITORY = "https://repository.example.org/repository"
STORAGE_FAULT = -1
DMP = "https://dmp.example.org"


class Repository(httpx.AsyncBaseTransport):
    """A repository with the routes integrity reads, and the ways it can go wrong."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.down = False
        self.answers: dict[str, int] = {}
        """Status codes instead of a file's bytes, by key; 0 breaks off half-way, -1 is a storage fault."""
        self.app = FastAPI()
        self._verifier = verifier
        self._asgi = httpx.ASGITransport(self.app, raise_app_exceptions=False)

        @self.app.get("/repository/api/records/{record_id}")
        async def get_record(record_id: str) -> Response:
            return Response(status_code=200 if record_id in self.files else 404)

        @self.app.get("/repository/api/records/{record_id}/files/{key:path}")
        async def get_file(record_id: str, key: str, request: Request) -> Response:
            principal = await self._verifier.verify(request.headers["authorization"].removeprefix("Bearer "))
            principal.require("service")
            content = self.files.get(record_id, {}).get(key)
            if content is None:
                return Response(status_code=404)
            status = self.answers.get(key, 200)
            if status == STORAGE_FAULT:
                return JSONResponse({"status": 503, "reason": "storage-fault"}, 503, {"retry-after": "60"})
            if status == 0:
                return StreamingResponse(self._half(content), headers={"content-length": str(len(content))})
            return Response(content if status == 200 else b"", status)

    async def _half(self, content: bytes) -> AsyncIterator[bytes]:
        yield content[: len(content) // 2]
        raise OSError("the disk")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("refused", request=request)
        answer = await self._asgi.handle_async_request(request)
        if any(status == 0 and request.url.path.endswith(key) for key, status in self.answers.items()):
            raise httpx.RemoteProtocolError("peer closed the connection", request=request)
        return answer

    def record(
        self, record_id: str, files: Mapping[str, bytes | str], *, output: str | None = "water", **changes: Any
    ) -> RecordSnapshot:
        """Deposit ``files`` and describe the record as published."""
        stored = {key: each.encode() if isinstance(each, str) else each for key, each in files.items()}
        self.files[record_id] = stored
        values: dict[str, Any] = {
            "record_id": record_id,
            "kind": RecordKind.DATASET,
            "state": RecordState.PUBLISHED,
            "version": 3,
            "title": "Water quality of the reservoir",
            "creators": [Person(name="Carberry, Josiah", identifier="https://orcid.org/0000-0002-1825-0097")],
            "publisher": "INDIGO Preservation Repository",
            "license": "https://creativecommons.org/licenses/by/4.0/",
            "url": f"{REPOSITORY}/records/{record_id}",
            "api_url": f"{REPOSITORY}/api/records/{record_id}",
            "plan": PlanLink(plan_id="p1", edition=1, output=output) if output else None,
            "files": [
                RecordFile(
                    key=key,
                    size=len(content),
                    sha256=hashlib.sha256(content).hexdigest(),
                    mimetype="text/csv",
                    url=f"{REPOSITORY}/api/records/{record_id}/files/{key}",
                )
                for key, content in stored.items()
            ],
        }
        return RecordSnapshot(**{**values, **changes})


@dataclass
class Integrity:
    """A running service and what tests do with it."""

    runtime: Runtime
    settings: Settings
    clock: ManualClock
    issuer: DevIssuer
    repository: Repository
    http: httpx.AsyncClient
    _numbers: list[int] = field(default_factory=lambda: [0])

    def auth(self, *scopes: str, who: str = "ana") -> dict[str, str]:
        """Headers of somebody with ``scopes``, and a key nobody used before."""
        self._numbers[0] += 1
        return {
            "authorization": f"Bearer {self.issuer.token(who, scopes)}",
            "idempotency-key": f"key-{self._numbers[0]}",
        }

    def envelope(self, fact: Fact) -> Envelope:
        return Envelope.of(fact, id=new_id(), source=DMP, subject="x/1", version=1, time=self.clock.now())

    async def deliver(self, *facts: Fact) -> None:
        """Give facts to the subscription, one after another, as a bus does."""
        for fact in facts:
            await self.runtime.subscriptions[0].handler(self.envelope(fact))

    async def plan(self, *outputs: dict[str, Any], **changes: Any) -> PlanSnapshot:
        """Publish a plan with these outputs."""
        plan = make_plan(*outputs, **changes)
        await self.deliver(PlanPublished(plan=plan))
        return plan

    async def publish(self, *args: Any, **changes: Any) -> RecordSnapshot:
        """Publish a record: ``Repository.record``."""
        record = self.repository.record(*args, **changes)
        await self.deliver(RecordPublished(record=record))
        return record

    async def work_off(self) -> int:
        """Run the jobs that are due now, and those that become due by it; how many runs there were."""
        worker = self.runtime.workers[0]
        assert isinstance(worker, Worker)
        runs = 0
        while claimed := await worker._claim(100):
            runs += claimed
            while worker._running:
                await asyncio.wait(worker._running)
        return runs

    async def facts(self, *names: str) -> list[dict[str, Any]]:
        """The payloads in the outbox in order, with ``fact`` added; of the named facts only if any is named."""
        async with self.runtime.database.engine.connect() as conn:
            rows = (await conn.execute(sa.text("SELECT fact, subject, body FROM outbox ORDER BY id"))).all()
        return [
            {"fact": row.fact, "subject": row.subject, **json.loads(row.body)["data"]}
            for row in rows
            if not names or row.fact in names
        ]

    async def finished(self) -> list[dict[str, Any]]:
        """The finished runs as their events tell them."""
        return [each["run"] for each in await self.facts("integrity.run.finished.v1")]

    async def only(self) -> dict[str, Any]:
        """The one run that has finished."""
        (run,) = await self.finished()
        return run

    async def report(self, run_id: str, **headers: str) -> list[dict[str, Any]]:
        answer = await self.http.get(f"/api/runs/{run_id}/report", headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        return [json.loads(line) for line in answer.text.splitlines()]


def make_plan(*outputs: dict[str, Any], **changes: Any) -> PlanSnapshot:
    """A published plan ``p1``; an output is described by what differs from a dataset with key ``water``."""
    described = [
        PlannedOutput.model_validate(
            {"key": "water", "kind": "dataset", "title": "Water quality of the reservoir"} | output
        )
        for output in outputs
    ]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    values: dict[str, Any] = {
        "plan_id": "p1",
        "version": 5,
        "edition": 1,
        "state": PlanState.PUBLISHED,
        "title": "A reservoir",
        "contact": Person(name="Ana"),
        "created": now,
        "modified": now,
        "url": f"{DMP}/plans/p1",
        "outputs": described,
        "madmp": {"dmp": {}},
    }
    return PlanSnapshot(**{**values, **changes})


Start = Callable[..., AbstractAsyncContextManager[Integrity]]


@pytest.fixture
def a_plan() -> Callable[..., PlanSnapshot]:
    return make_plan


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template(make_database: Any) -> str:
    """A migrated database to copy."""
    url: str = await make_database("integrity template")
    engine = create_engine(url, application="test")
    await migrate.upgrade(engine, MIGRATIONS)
    await engine.dispose()
    return url


@pytest.fixture
def start_integrity(make_database: Any, template: str, tmp_path: Any) -> Start:
    """Starts services: ``async with start_integrity(attempts=1) as service`` with settings as named."""

    @asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[Integrity]:
        clock = ManualClock()
        issuer = DevIssuer(tmp_path / "issuer", ISSUER, clock=clock)
        verifier = TokenVerifier([issuer.trusted()], "indigo", clock)
        repository = Repository(verifier)
        url = await make_database("integrity", template=template)
        read = Settings(
            **{
                "database_url": url,
                "public_url": "https://integrity.example.org",
                "secret_key": "a key for tests only",
                "repository_url": REPOSITORY,
                "work_dir": tmp_path / "work",
                **settings,
            }
        )
        bus = MemoryBus(clock=clock)
        runtime = build(
            read,
            clock=clock,
            bus=bus,
            verifier=verifier,
            service_auth=ServiceTokens(issuer.source("integrity", ["service"], audience="indigo"), clock),
            transport=repository,
        )
        await bus.start()
        await runtime.start()
        transport = httpx.ASGITransport(runtime.api)
        async with httpx.AsyncClient(transport=transport, base_url="https://integrity.example.org") as http:
            yield Integrity(runtime, read, clock, issuer, repository, http)
        await runtime.stop()
        await bus.stop()

    return start


@pytest_asyncio.fixture
async def integrity(start_integrity: Start) -> AsyncIterator[Integrity]:
    async with start_integrity() as running:
        yield running
