"""State, events, inbox and jobs change together or not at all."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from indigo_contracts.dmp import PlanCreated
from indigo_contracts.envelope import Envelope
from indigo_kernel.bus.ports import PermanentError
from indigo_kernel.context import enter, new_context
from indigo_kernel.db.inbox import subscription
from indigo_kernel.db.uow import Database, UnitOfWork
from sqlalchemy.exc import IntegrityError


async def effect(uow: UnitOfWork, name: str) -> None:
    await uow.conn.execute(sa.text("INSERT INTO effects VALUES (:name)"), {"name": name})


async def rows(database: Database, query: str) -> list:
    async with database.engine.connect() as conn:
        return list((await conn.execute(sa.text(query))).all())


async def test_an_event_commits_with_its_state(database: Database) -> None:
    enter(new_context(correlation_id="story", causation_id="request"))
    async with UnitOfWork(database) as uow:
        await effect(uow, "a")
        uow.emit(PlanCreated(plan_id="p", version=1), subject="plans/p", version=1)
    assert len(await rows(database, "SELECT * FROM effects")) == 1
    ((body,),) = await rows(database, "SELECT body FROM outbox")
    event = Envelope.model_validate_json(body)
    assert (event.subject, event.version, event.correlationid, event.causationid) == (
        "plans/p",
        1,
        "story",
        "request",
    )
    assert event.time == database.clock.now()


async def test_an_error_takes_state_and_event_back(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with UnitOfWork(database) as uow:
            await effect(uow, "a")
            uow.emit(PlanCreated(plan_id="p", version=1), subject="plans/p", version=1)
            await uow.enqueue("kind", "key", {})
            raise ZeroDivisionError
    for table in ("effects", "outbox", "jobs"):
        assert await rows(database, f"SELECT * FROM {table}") == []


async def test_what_runs_after_the_commit_runs_only_then(database: Database) -> None:
    called: list[str] = []
    async with UnitOfWork(database) as uow:
        uow.after_commit(lambda: called.append("first"))
        assert called == []
    assert called == ["first"]
    with pytest.raises(IntegrityError):
        async with UnitOfWork(database) as uow:
            uow.after_commit(lambda: called.append("second"))
            await uow.conn.execute(sa.text("INSERT INTO effects VALUES (NULL)"))
    assert called == ["first"]


def envelope(event_id: str, data: dict) -> Envelope:
    return Envelope(
        id=event_id,
        source="https://dmp.example.org",
        type=PlanCreated.event_type(),
        subject="plans/p",
        time="2026-01-01T00:00:00Z",
        data=data,
    )


async def test_an_event_delivered_many_times_at_once_is_applied_once(database: Database) -> None:
    async def apply(uow: UnitOfWork, fact: PlanCreated, _: Envelope) -> None:
        await effect(uow, fact.plan_id)

    handler = subscription("test", "plans", lambda: UnitOfWork(database), {PlanCreated: apply}).handler
    event = envelope("e1", {"plan_id": "p", "version": 1})
    await asyncio.gather(*(handler(event) for _ in range(8)))
    await handler(envelope("e2", {"plan_id": "q", "version": 1}))
    assert sorted(await rows(database, "SELECT name FROM effects")) == [("p",), ("q",)]


async def test_an_application_that_fails_is_not_noted_as_applied(database: Database) -> None:
    broken = True

    async def apply(uow: UnitOfWork, fact: PlanCreated, _: Envelope) -> None:
        await effect(uow, fact.plan_id)
        if broken:
            raise ConnectionError("not now")

    handler = subscription("test", "plans", lambda: UnitOfWork(database), {PlanCreated: apply}).handler
    event = envelope("e1", {"plan_id": "p", "version": 1})
    with pytest.raises(ConnectionError):
        await handler(event)
    broken = False
    await handler(event)
    assert await rows(database, "SELECT name FROM effects") == [("p",)]


async def test_a_payload_that_never_fits_is_permanent(database: Database) -> None:
    async def apply(uow: UnitOfWork, fact: PlanCreated, _: Envelope) -> None:
        raise AssertionError("not reached")

    handler = subscription("test", "plans", lambda: UnitOfWork(database), {PlanCreated: apply}).handler
    with pytest.raises(PermanentError, match="version"):
        await handler(envelope("e1", {"plan_id": "p"}))
