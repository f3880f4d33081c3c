"""Registrations in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from indigo_contracts.repository import PlanLink
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_pid.adapters.db.tables import dois, registrar_paces
from indigo_pid.domain.doi import Doi, DoiState, DoiStatus


class SqlDois:
    """Implements ``application.ports.Dois``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def find(self, doi: str, *, for_update: bool = False) -> Doi | None:
        statement = sa.select(dois).where(dois.c.doi == doi)
        if for_update:
            statement = statement.with_for_update()
        row = (await self._conn.execute(statement)).one_or_none()
        return None if row is None else _doi(row)

    async def save(self, doi: Doi) -> None:
        values = _values(doi)
        await self._conn.execute(
            insert(dois).values(values).on_conflict_do_update(index_elements=[dois.c.doi], set_=values)
        )

    async def postpone_all(self, prefixes: Collection[str], problem: str, until: datetime) -> None:
        earlier = sa.or_(dois.c.next_try_at.is_(None), dois.c.next_try_at < until)
        await self._conn.execute(
            sa.update(dois)
            .where(dois.c.doi.in_(_pending(prefixes).where(earlier)))
            .values(problem=problem, next_try_at=until, version=dois.c.version + 1)
        )

    async def bring_forward(self, prefixes: Collection[str], kind: str) -> None:
        jobs = dois.metadata.tables["jobs"]
        await self._conn.execute(
            sa.update(dois)
            .where(dois.c.doi.in_(_pending(prefixes)), jobs.c.kind == kind, jobs.c.key == dois.c.doi)
            .values(next_try_at=jobs.c.run_at, version=dois.c.version + 1)
        )

    async def registrar_back(self, registrar: str, now: datetime) -> None:
        values = {"registrar": registrar, "full_at": now, "back_at": now}
        statement = insert(registrar_paces).values(values)
        await self._conn.execute(
            statement.on_conflict_do_update(index_elements=[registrar_paces.c.registrar], set_={"back_at": now})
        )

    async def registrar_back_at(self, registrar: str) -> datetime | None:
        statement = sa.select(registrar_paces.c.back_at).where(registrar_paces.c.registrar == registrar)
        found: datetime | None = (await self._conn.execute(statement)).scalar_one_or_none()
        return found

    async def named(self, names: Sequence[str]) -> list[Doi]:
        statement = sa.select(dois).where(dois.c.doi == sa.any_(sa.literal(list(names), ARRAY(sa.Text))))
        return [_doi(row) for row in await self._conn.execute(statement)]

    async def listed(self, status: DoiStatus | None, *, after: str | None, limit: int) -> Sequence[Doi]:
        statement = sa.select(dois).order_by(dois.c.doi).limit(limit)
        if status is not None:
            statement = statement.where(dois.c.status == status.value)
        if after is not None:
            statement = statement.where(dois.c.doi > after)
        return [_doi(row) for row in await self._conn.execute(statement)]


def _pending(prefixes: Collection[str]) -> sa.Select[tuple[str]]:
    """The pending ones under these prefixes, but for those somebody is about to say something newer of."""
    prefix = sa.func.split_part(dois.c.doi, "/", 1)
    return (
        sa.select(dois.c.doi)
        .where(dois.c.status == DoiStatus.PENDING.value, prefix.in_(list(prefixes)))
        .with_for_update(skip_locked=True)
    )


def _values(doi: Doi) -> dict[str, Any]:
    return {
        "doi": doi.doi,
        "handle": doi.handle,
        "record_id": doi.record_id,
        "plan": doi.plan.model_dump(mode="json") if doi.plan else None,
        "desired": doi.desired.value,
        "attributes": doi.attributes,
        "revision": doi.revision,
        "version": doi.version,
        "status": doi.status.value,
        "observed_state": doi.observed_state.value if doi.observed_state else None,
        "observed_revision": doi.observed_revision,
        "observed_at": doi.observed_at,
        "attempts": doi.attempts,
        "problem": doi.problem,
        "note": doi.note,
        "failed": doi.failed,
        "next_try_at": doi.next_try_at,
    }


def _doi(row: sa.Row[Any]) -> Doi:
    return Doi(
        doi=row.doi,
        handle=row.handle,
        record_id=row.record_id,
        plan=PlanLink.model_validate(row.plan) if row.plan else None,
        desired=DoiState(row.desired),
        attributes=row.attributes,
        revision=row.revision,
        version=row.version,
        observed_state=DoiState(row.observed_state) if row.observed_state else None,
        observed_revision=row.observed_revision,
        observed_at=row.observed_at,
        attempts=row.attempts,
        problem=row.problem,
        note=row.note,
        failed=row.failed,
        next_try_at=row.next_try_at,
    )
