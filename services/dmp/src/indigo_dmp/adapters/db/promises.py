"""The ledger in PostgreSQL: promises, and every reading there ever was about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from indigo_contracts.dmp import Evidence, PromiseKind, PromiseState, TestLevel
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_dmp.adapters.db.tables import promises, readings
from indigo_dmp.domain.ledger import Promise, Terms
from indigo_dmp.domain.readings import Outcome, Reading

_NEWEST_FIRST = (readings.c.at.desc(), readings.c.event_id.desc())


class PromiseTable:
    """Implements ``application.ports.Promises``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def of_plan(self, plan_id: str) -> list[Promise]:
        return await self._load(promises.c.plan_id == plan_id, await self.known(plan_id))

    async def of_output(self, plan_id: str, output: str | None) -> list[Promise]:
        concerned = sa.and_(
            promises.c.plan_id == plan_id,
            promises.c.output.is_not_distinct_from(output),
            promises.c.retired_at.is_(None),
        )
        return await self._load(concerned, await self._newest(plan_id, _of(output)))

    async def get(self, plan_id: str, promise_id: str) -> Promise | None:
        found = await self._load(sa.and_(promises.c.plan_id == plan_id, promises.c.id == promise_id), [])
        return found[0] if found else None

    async def put(self, promise: Promise, position: int) -> None:
        terms = promise.terms
        values = {
            "id": promise.id,
            "plan_id": promise.plan_id,
            "position": position,
            "output": terms.output,
            "kind": terms.kind.value,
            "test": terms.test,
            "level": terms.level.value if terms.level else None,
            "title": terms.title,
            "due": terms.due,
            "storage_class": terms.storage_class,
            "digest": terms.digest,
            "since": promise.since,
            **_state(promise),
        }
        await self._conn.execute(
            insert(promises).values(values).on_conflict_do_update(index_elements=["id"], set_=values)
        )

    async def save(self, promise: Promise) -> None:
        await self._conn.execute(promises.update().where(promises.c.id == promise.id).values(_state(promise)))

    async def note(self, said: Iterable[Reading]) -> None:
        rows = [
            {
                "event_id": reading.evidence.event_id,
                "plan_id": reading.plan_id,
                "kind": reading.kind.value,
                "aspect_group": reading.group,
                "aspect_member": reading.member,
                "output": reading.output,
                "test": reading.test,
                "level": reading.level.value if reading.level else None,
                "outcome": reading.outcome.value,
                "classes": sorted(reading.classes),
                "at": reading.evidence.at,
                "evidence": reading.evidence.model_dump(mode="json"),
            }
            for reading in said
        ]
        await self._conn.execute(insert(readings).on_conflict_do_nothing(), rows)

    async def known(self, plan_id: str) -> list[Reading]:
        return await self._newest(plan_id, sa.true())

    async def history(
        self, promise: Promise, before: tuple[datetime, str] | None, limit: int
    ) -> Sequence[tuple[Evidence, Outcome]]:
        terms = promise.terms
        # One event may speak about several aspects, such as the files it found damaged: it is told once.
        query = (
            sa.select(readings.c.evidence, readings.c.outcome)
            .ext(distinct_on(readings.c.at, readings.c.event_id))
            .where(
                readings.c.plan_id == promise.plan_id,
                _of(terms.output),
                readings.c.kind == terms.kind.value,
                sa.or_(readings.c.test.is_(None), readings.c.test == terms.test),
                sa.or_(readings.c.level.is_(None), readings.c.level == (terms.level and terms.level.value)),
            )
            .order_by(*_NEWEST_FIRST)
            .limit(limit)
        )
        if before is not None:
            query = query.where(sa.tuple_(readings.c.at, readings.c.event_id) < sa.tuple_(*before))
        rows = await self._conn.execute(query)
        return [(Evidence.model_validate(row.evidence), Outcome(row.outcome)) for row in rows]

    async def _newest(self, plan_id: str, which: sa.ColumnElement[bool]) -> list[Reading]:
        aspect = (
            readings.c.output,
            readings.c.kind,
            readings.c.test,
            readings.c.level,
            readings.c.aspect_group,
            readings.c.aspect_member,
        )
        query = (
            readings.select()
            .ext(distinct_on(*aspect))
            .where(readings.c.plan_id == plan_id, readings.c.outcome != Outcome.NOTE, which)
            .order_by(*aspect, *_NEWEST_FIRST)
        )
        return [_reading(row) for row in await self._conn.execute(query)]

    async def _load(self, which: sa.ColumnElement[bool], known: list[Reading]) -> list[Promise]:
        query = promises.select().where(which).order_by(promises.c.retired_at.isnot(None), promises.c.position)
        return [_promise(row, known) for row in await self._conn.execute(query)]


def _of(output: str | None) -> sa.ColumnElement[bool]:
    return readings.c.output.is_not_distinct_from(output)


def _state(promise: Promise) -> dict[str, Any]:
    return {
        "state": promise.state.value,
        "evidence": promise.evidence.model_dump(mode="json") if promise.evidence else None,
        "revision": promise.revision,
        "retired_at": promise.retired_at,
    }


def _promise(row: Any, known: list[Reading]) -> Promise:
    terms = Terms(
        output=row.output,
        kind=PromiseKind(row.kind),
        title=row.title,
        due=row.due,
        test=row.test,
        level=TestLevel(row.level) if row.level else None,
        storage_class=row.storage_class,
        digest=row.digest,
    )
    return Promise(
        id=row.id,
        plan_id=row.plan_id,
        terms=terms,
        since=row.since,
        state=PromiseState(row.state),
        evidence=Evidence.model_validate(row.evidence) if row.evidence else None,
        revision=row.revision,
        retired_at=row.retired_at,
    ).with_readings(known)


def _reading(row: Any) -> Reading:
    return Reading(
        plan_id=row.plan_id,
        output=row.output,
        kind=PromiseKind(row.kind),
        group=row.aspect_group,
        member=row.aspect_member,
        outcome=Outcome(row.outcome),
        evidence=Evidence.model_validate(row.evidence),
        test=row.test,
        level=TestLevel(row.level) if row.level else None,
        classes=frozenset(row.classes),
    )
