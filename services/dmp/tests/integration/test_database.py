"""The migrations make the tables the code knows, and the database keeps writers apart."""

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from indigo_contracts.dmp import PromiseBroken, PromiseKept
from indigo_contracts.integrity import RunFinished
from indigo_dmp.adapters.db.tables import metadata
from indigo_dmp.bootstrap import MIGRATIONS
from indigo_kernel.db import migrate


async def test_migrations_and_tables_agree_and_can_be_undone(service: Any) -> None:
    engine = service.runtime.database.engine

    def differences(connection: sa.Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with engine.connect() as conn:
        assert await conn.run_sync(differences) == []
    await migrate.downgrade(engine, MIGRATIONS, "base")
    async with engine.connect() as conn:
        names = await conn.run_sync(lambda connection: sa.inspect(connection).get_table_names())
    assert names == ["alembic_version"]


async def test_of_two_writers_with_one_version_one_wins(service: Any, plan: dict[str, Any]) -> None:
    async with service.client("ada") as http:
        plan_id = (await http.post("/dmps", json=plan)).json()["id"]
        puts = (http.put(f"/dmps/{plan_id}", json=plan, headers={"if-match": '"v1"'}) for _ in range(4))
        answers = await asyncio.gather(*puts)
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
        publications = (http.post(f"/plans/{plan_id}/publish", headers={"if-match": '"v2"'}) for _ in range(3))
        assert sorted(answer.status_code for answer in await asyncio.gather(*publications)) == [200, 412, 412]


async def test_evidence_that_comes_at_once_is_judged_as_a_whole(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)

    def finished(verdict: str) -> RunFinished:
        run = {
            "run_id": "r",
            "test": "there",
            "level": "existence",
            "title": "t",
            "record_id": "r1",
            "plan": {"plan_id": plan_id, "edition": 1, "output": "counts"},
            "trigger": "demand",
            "state": "finished",
            "verdict": verdict,
            "requested_at": "2026-02-01T12:00:00Z",
            "report_url": "http://i",
        }
        return RunFinished.model_validate({"run": run})

    now = service.clock.now()
    verdicts = ["pass", "fail"] * 4 + ["pass"]
    await asyncio.gather(
        *(
            service.deliver(finished(verdict), at=now + timedelta(minutes=minute))
            for minute, verdict in enumerate(verdicts)
        )
    )
    promise = (await service.promises(plan_id))["counts", "test", "there"]
    assert promise["state"] == "kept"
    told = [fact for fact in await service.facts() if isinstance(fact, PromiseKept | PromiseBroken)]
    # However they came, kept and broken take turns, and the last word is the newest evidence's.
    assert isinstance(told[-1], PromiseKept)
    assert all(type(one) is not type(other) for one, other in itertools.pairwise(told))
