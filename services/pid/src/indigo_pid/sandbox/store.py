"""The sandbox's DOIs in PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from indigo_kernel.clock import Clock
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from indigo_pid.sandbox.states import State
from indigo_pid.sandbox.tables import sandbox_tables

_dois = sandbox_tables(sa.MetaData()).dois
_LOCK = sa.text("SELECT pg_advisory_xact_lock(:key)")


@dataclass(frozen=True, slots=True)
class Stored:
    """One DOI as the registrar has it."""

    doi: str
    state: State
    attributes: Mapping[str, Any]
    metadata_version: int
    created: datetime
    updated: datetime
    registered: datetime | None = None


class Shelf:
    """One transaction over the DOIs."""

    def __init__(self, conn: AsyncConnection, now: datetime) -> None:
        self._conn = conn
        self.now = now

    async def lock(self, doi: str) -> Stored | None:
        """Hold the name, whether it exists or not, until the transaction ends."""
        number = hashlib.sha256(f"sandbox {doi}".encode()).digest()[:8]
        await self._conn.execute(_LOCK, {"key": int.from_bytes(number, "big", signed=True)})
        return await self.find(doi)

    async def find(self, doi: str) -> Stored | None:
        row = (await self._conn.execute(sa.select(_dois).where(_dois.c.doi == doi))).one_or_none()
        return None if row is None else _stored(row)

    async def put(self, doi: str, state: State, attributes: Mapping[str, Any], before: Stored | None) -> Stored:
        """Store and return; the handle is written at once, so ``registered`` follows the state."""
        first = before or Stored(doi, state, attributes, 0, self.now, self.now)
        stored = replace(
            first,
            state=state,
            attributes=attributes,
            metadata_version=first.metadata_version + 1,
            updated=self.now,
            registered=first.registered or (None if state is State.DRAFT else self.now),
        )
        values = {
            "doi": stored.doi,
            "state": stored.state.value,
            "attributes": stored.attributes,
            "metadata_version": stored.metadata_version,
            "created": stored.created,
            "registered": stored.registered,
            "updated": stored.updated,
        }
        await self._conn.execute(
            insert(_dois).values(values).on_conflict_do_update(index_elements=[_dois.c.doi], set_=values)
        )
        return stored

    async def remove(self, doi: str) -> None:
        await self._conn.execute(sa.delete(_dois).where(_dois.c.doi == doi))

    async def after(
        self, doi: str, *, states: frozenset[State], prefix: str | None, size: int
    ) -> tuple[list[Stored], int]:
        """Some DOIs by name, those after ``doi``, and how many there are in all."""
        condition = _matching(states, prefix)
        total = await self._conn.execute(sa.select(sa.func.count()).select_from(_dois).where(condition))
        rows = await self._conn.execute(
            sa.select(_dois).where(condition, _dois.c.doi > doi).order_by(_dois.c.doi).limit(size)
        )
        return [_stored(row) for row in rows], total.scalar_one()

    async def page(
        self, *, states: frozenset[State], prefix: str | None, skip: int, size: int
    ) -> tuple[list[Stored], int]:
        """Some DOIs in one of ``states``, oldest first, and how many there are in all."""
        condition = _matching(states, prefix)
        total = (
            await self._conn.execute(sa.select(sa.func.count()).select_from(_dois).where(condition))
        ).scalar_one()
        rows = await self._conn.execute(
            sa.select(_dois).where(condition).order_by(_dois.c.created, _dois.c.doi).offset(skip).limit(size)
        )
        return [_stored(row) for row in rows], total


class SandboxStore:
    """Opens transactions."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Shelf]:
        """A transaction that is committed at the end of the block, unless it raises."""
        async with self._engine.begin() as conn:
            yield Shelf(conn, self._clock.now())


def _matching(states: frozenset[State], prefix: str | None) -> sa.ColumnElement[bool]:
    return sa.and_(
        _dois.c.state.in_([state.value for state in states]),
        sa.true() if prefix is None else _dois.c.doi.startswith(f"{prefix}/", autoescape=True),
    )


def _stored(row: sa.Row[Any]) -> Stored:
    return Stored(
        doi=row.doi,
        state=State(row.state),
        attributes=row.attributes,
        metadata_version=row.metadata_version,
        created=row.created,
        updated=row.updated,
        registered=row.registered,
    )
