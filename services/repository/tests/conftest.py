"""The repository on a real database and a real disk, with an in-process bus and real tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from indigo_contracts.envelope import Envelope, Fact
from indigo_kernel.auth.issuer import DevIssuer
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.clock import ManualClock, SystemClock
from indigo_kernel.db import migrate
from indigo_kernel.db.jobs import Worker
from indigo_kernel.ids import new_id
from indigo_kernel.runtime import Runtime
from indigo_repository.bootstrap import MIGRATIONS, build
from indigo_repository.settings import Settings
from sqlalchemy.ext.asyncio import create_async_engine

BASE = "https://repository.example.org"


class Suite:
    """The service and hands to work it: HTTP as somebody, facts in, facts out, jobs one at a time."""

    def __init__(self, runtime: Runtime, issuer: DevIssuer, settings: Settings) -> None:
        self.runtime = runtime
        self.issuer = issuer
        self.settings = settings
        transport = httpx.ASGITransport(app=runtime.api)
        self.http = httpx.AsyncClient(transport=transport, base_url=BASE)

    def as_(self, subject: str, *scopes: str) -> dict[str, str]:
        token = self.issuer.token(subject, scopes or ("repository:write",))
        return {"authorization": f"Bearer {token}"}

    async def give(self, fact: Fact, *, subject: str = "plans/p", version: int = 1, event_id: str | None = None):
        """Deliver a fact as the bus would; the envelope, to deliver it again."""
        envelope = Envelope.of(
            fact,
            id=event_id or new_id(),
            source="https://other.example.org",
            subject=subject,
            version=version,
            time=self.runtime.database.clock.now(),
        )
        await self.deliver(envelope)
        return envelope

    async def deliver(self, envelope: Envelope) -> None:
        (subscription,) = self.runtime.subscriptions
        await subscription.handler(envelope)

    async def facts(self, name: str | None = None) -> list[dict[str, Any]]:
        """Payloads of the facts stated so far, oldest first."""
        async with self.runtime.database.engine.connect() as conn:
            rows = (await conn.execute(sa.text("SELECT fact, body FROM outbox ORDER BY id"))).all()
        return [json.loads(row.body)["data"] for row in rows if name in {None, row.fact}]

    async def fact_names(self) -> list[str]:
        async with self.runtime.database.engine.connect() as conn:
            return list((await conn.execute(sa.text("SELECT fact FROM outbox ORDER BY id"))).scalars())

    async def work(self, kind: str) -> int:
        """Run the due jobs of a kind to their end; how many there were."""
        (worker,) = [each for each in self.runtime.workers if isinstance(each, Worker) and each._kind == kind]
        done = 0
        while claimed := await worker._claim(10):
            done += claimed
            for task in list(worker._running):
                await task
        return done

    async def draft(self, who: dict[str, str], **metadata: Any) -> str:
        """A draft with everything publication needs but files."""
        body = {
            "kind": "dataset",
            "metadata": {
                "title": "Measured things",
                "creators": [{"name": "Ada Lovelace", "identifier": "https://orcid.org/0000-0002-1825-0097"}],
                "license": "https://creativecommons.org/licenses/by/4.0/",
            }
            | metadata,
        }
        answer = await self.http.post("/api/records", json=body, headers=who)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def upload(self, who: dict[str, str], record_id: str, key: str, content: bytes) -> None:
        files = f"/api/records/{record_id}/draft/files"
        answer = await self.http.post(files, json=[{"key": key}], headers=who)
        assert answer.status_code == 201, answer.text
        answer = await self.http.put(f"{files}/{key}/content", content=content, headers=who)
        assert answer.status_code == 200, answer.text
        answer = await self.http.post(f"{files}/{key}/commit", headers=who)
        assert answer.status_code == 200, answer.text

    async def publish(self, who: dict[str, str], record_id: str, **headers: str) -> httpx.Response:
        return await self.http.post(f"/api/records/{record_id}/draft/actions/publish", headers=who | headers)

    async def published(self, who: dict[str, str], files: dict[str, bytes], **metadata: Any) -> str:
        record_id = await self.draft(who, **metadata)
        for key, content in files.items():
            await self.upload(who, record_id, key, content)
        answer = await self.publish(who, record_id)
        assert answer.status_code == 200, answer.text
        return record_id

    def stored(self, name: str) -> Path:
        """The one content file of that name in the OCFL root."""
        (path,) = (self.settings.storage_dir / "ocfl-root").rglob(f"content/data/**/{name}")
        return path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated(make_database) -> str:
    """A migrated database, to copy."""
    url = await make_database("repository_template")
    engine = create_async_engine(url)
    await migrate.upgrade(engine, MIGRATIONS)
    await engine.dispose()
    return url


@pytest.fixture
def clock() -> ManualClock:
    """Starts now: the sweeper compares it with times of files."""
    return ManualClock(SystemClock().now())


@pytest_asyncio.fixture
async def suite(make_database, migrated: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Suite]:
    url = await make_database("repository", template=migrated)
    settings = Settings(
        database_url=url,
        public_url=BASE,
        secret_key="not a secret, only a test key",
        storage_dir=tmp_path / "storage",
        max_files=5,
        max_file_bytes=100_000_000,
        max_record_bytes=150_000_000,
    )
    issuer = DevIssuer(tmp_path / "issuer", "https://issuer.example.org", clock=clock)
    runtime = build(
        settings,
        clock=clock,
        bus=MemoryBus(clock=clock),
        verifier=TokenVerifier([issuer.trusted()], "indigo", clock),
    )
    suite = Suite(runtime, issuer, settings)
    await runtime.start()
    yield suite
    await suite.http.aclose()
    await runtime.stop()
