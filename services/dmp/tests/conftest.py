"""The plan service on a real database, with a bus in the process and tokens of a development issuer."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from indigo_contracts.envelope import Envelope, Fact
from indigo_contracts.registry import model_for
from indigo_dmp.bootstrap import MIGRATIONS, build
from indigo_dmp.settings import Settings
from indigo_kernel.auth.issuer import DevIssuer
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.clock import ManualClock
from indigo_kernel.db import migrate
from indigo_kernel.ids import new_id
from indigo_kernel.runtime import Runtime

BASE = "http://dmp.test"


PLAN: dict[str, Any] = {
    "dmp": {
        "title": "Beetles of the valley",
        "description": "What lives under the stones",
        "language": "eng",
        "created": "2025-11-03T09:00:00Z",
        "modified": "2025-11-03T09:00:00Z",
        "ethical_issues_exist": "no",
        "dmp_id": {"identifier": "https://example.org/plans/7", "type": "url"},
        "contact": {
            "name": "Ada Field",
            "mbox": "ada@example.org",
            "contact_id": {"identifier": "0000-0002-1825-0097", "type": "orcid"},
        },
        "dataset": [
            {
                "title": "Beetle counts",
                "dataset_id": {"identifier": "counts", "type": "other"},
                "personal_data": "no",
                "sensitive_data": "no",
                "issued": "2026-06-30",
                "language": "eng",
                "keyword": ["beetles"],
                "distribution": [
                    {
                        "title": "CSV",
                        "data_access": "open",
                        "format": ["text/csv"],
                        "byte_size": 1000,
                        "license": [
                            {
                                "license_ref": "https://creativecommons.org/licenses/by/4.0/",
                                "start_date": "2026-06-30",
                            }
                        ],
                    }
                ],
                "indigo": {
                    "key": "counts",
                    "structure": {
                        "tables": [
                            {
                                "name": "counts",
                                "path": "counts.csv",
                                "fields": [{"name": "site"}, {"name": "n", "type": "integer", "minimum": 0}],
                                "primary_key": ["site"],
                            }
                        ]
                    },
                    "storage": {"storage_class": "DiskAndTape"},
                    "tests": [
                        {"key": "there", "level": "existence"},
                        {"key": "columns", "level": "content"},
                        {
                            "key": "totals",
                            "level": "processing",
                            "software": "summing",
                            "command": ["python", "/software/sum.py"],
                            "outputs": [{"path": "totals.csv", "compare": "csv", "reference": "totals.csv"}],
                        },
                    ],
                },
            },
            {
                "title": "Summing",
                "type": "software",
                "dataset_id": {"identifier": "summing", "type": "other"},
                "personal_data": "no",
                "sensitive_data": "no",
            },
        ],
    }
}


@pytest.fixture
def plan() -> dict[str, Any]:
    """A plan with a dataset that has structure, storage and tests of three levels, and a software."""
    return copy.deepcopy(PLAN)


@dataclass
class Service:
    """The running service and what a test does with it."""

    runtime: Runtime
    clock: ManualClock
    issuer: DevIssuer

    def client(self, subject: str | None = None, scopes: str = "dmp:write dmp:publish") -> httpx.AsyncClient:
        headers = {}
        if subject:
            headers["authorization"] = f"Bearer {self.issuer.token(subject, scopes.split())}"
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.runtime.api), base_url=BASE, headers=headers
        )

    async def facts(self) -> list[Fact]:
        """What the service has stated so far, in order."""
        async with self.runtime.database.engine.connect() as conn:
            rows = await conn.execute(sa.text("SELECT body FROM outbox ORDER BY id"))
            envelopes = [Envelope.model_validate_json(row.body) for row in rows]
        facts = []
        for envelope in envelopes:
            model = model_for(envelope.type)
            assert model is not None
            facts.append(model.model_validate(envelope.data))
        return facts

    async def deliver(self, fact: Fact, *, at: datetime | None = None, event_id: str | None = None) -> Envelope:
        """Hand an event to the service as the bus does."""
        envelope = Envelope.of(
            fact,
            id=event_id or new_id(),
            source="http://other.test",
            subject="things/1",
            version=1,
            time=at or self.clock.now(),
        )
        await self.runtime.subscriptions[0].handler(Envelope.model_validate_json(envelope.wire()))
        return envelope

    async def published(self, plan: dict[str, Any], subject: str = "ada") -> str:
        """The id of a new published plan of ``subject``."""
        async with self.client(subject) as http:
            created = await http.post("/dmps", json=plan)
            assert created.status_code == 200, created.text
            plan_id: str = created.json()["id"]
            answer = await http.post(f"/plans/{plan_id}/publish", headers={"if-match": created.headers["etag"]})
            assert answer.status_code == 200, answer.text
        return plan_id

    async def promises(self, plan_id: str) -> dict[tuple[str | None, str, str | None], dict[str, Any]]:
        """The ledger as the public sees it, by output, kind and test."""
        async with self.client() as http:
            items = (await http.get(f"/plans/{plan_id}/promises")).json()["items"]
        return {(item["output"], item["kind"], item["test"]): item for item in items}


@pytest.fixture
async def service(make_database: Callable[..., Any], tmp_path: Path) -> AsyncIterator[Service]:
    clock = ManualClock(datetime(2026, 2, 1, 12, tzinfo=UTC))
    issuer = DevIssuer(tmp_path, "http://issuer.test", clock=clock)
    settings = Settings(
        database_url=await make_database("dmp"), public_url=BASE, secret_key="not a secret: signs test cursors"
    )
    bus = MemoryBus(clock=clock)
    runtime = build(settings, clock=clock, bus=bus, verifier=TokenVerifier([issuer.trusted()], "indigo", clock))
    await migrate.upgrade(runtime.database.engine, MIGRATIONS)
    await bus.start()
    await runtime.start()
    yield Service(runtime, clock, issuer)
    await runtime.stop()
    await bus.stop()


@pytest.fixture(scope="session")
def read_json() -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        return json.loads(path.read_text())

    return read
