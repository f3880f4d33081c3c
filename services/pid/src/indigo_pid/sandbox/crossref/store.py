"""Submissions and works of the sandbox in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from indigo_kernel.clock import Clock
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from indigo_pid.sandbox.crossref.processing import Work
from indigo_pid.sandbox.tables import sandbox_tables

_tables = sandbox_tables(sa.MetaData())
_submissions, _works = _tables.submissions, _tables.works


@dataclass(frozen=True, slots=True)
class Submission:
    """A file as it was received; ``result`` once it is processed."""

    id: int
    contents: bytes
    polls: int
    result: str | None


class Desk:
    """One transaction."""

    def __init__(self, conn: AsyncConnection, now: datetime) -> None:
        self._conn = conn
        self.now = now

    async def receive(self, file_name: str, contents: bytes) -> None:
        values = {"file_name": file_name, "contents": contents, "polls": 0}
        await self._conn.execute(insert(_submissions).values(values))

    async def submission(self, file_name: str) -> Submission | None:
        """The first one of this name, locked: it is the one Crossref tells about."""
        statement = (
            sa.select(_submissions)
            .where(_submissions.c.file_name == file_name)
            .order_by(_submissions.c.id)
            .limit(1)
            .with_for_update()
        )
        row = (await self._conn.execute(statement)).one_or_none()
        return None if row is None else Submission(row.id, bytes(row.contents), row.polls, row.result)

    async def queue(self) -> Sequence[Submission]:
        """Those that are not processed, in the order they came in, locked."""
        statement = (
            sa.select(_submissions)
            .where(_submissions.c.result.is_(None))
            .order_by(_submissions.c.id)
            .with_for_update()
        )
        rows = await self._conn.execute(statement)
        return [Submission(row.id, bytes(row.contents), row.polls, row.result) for row in rows]

    async def look(self, submission: Submission) -> None:
        """Count a look."""
        await self._conn.execute(
            sa.update(_submissions).where(_submissions.c.id == submission.id).values(polls=submission.polls + 1)
        )

    async def finish(self, submission: Submission, result: str) -> None:
        await self._conn.execute(
            sa.update(_submissions).where(_submissions.c.id == submission.id).values(result=result)
        )

    async def timestamps(self, dois: Sequence[str]) -> Mapping[str, Decimal]:
        """Of those of these DOIs that exist."""
        statement = sa.select(_works.c.doi, _works.c.timestamp).where(
            _works.c.doi == sa.any_(sa.literal(list(dois), ARRAY(sa.Text)))
        )
        return {row.doi: row.timestamp for row in await self._conn.execute(statement)}

    async def write(self, work: Work, timestamp: Decimal) -> None:
        values = {"timestamp": timestamp, "url": work.url, "title": work.title, "type": work.type}
        await self._conn.execute(
            insert(_works)
            .values(doi=work.doi, deposits=1, deposited=self.now, **values)
            .on_conflict_do_update(
                index_elements=[_works.c.doi],
                set_={**values, "deposits": _works.c.deposits + 1, "deposited": self.now},
            )
        )

    async def work(self, doi: str) -> dict[str, Any] | None:
        """A work as the REST API shows it."""
        row = (await self._conn.execute(sa.select(_works).where(_works.c.doi == doi))).one_or_none()
        return None if row is None else _shown(row)

    async def works(self, prefix: str, *, after: str, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Works under a prefix by name, those after ``after``, and how many there are in all."""
        below = _works.c.doi.startswith(f"{prefix}/", autoescape=True)
        total = await self._conn.execute(sa.select(sa.func.count()).select_from(_works).where(below))
        rows = await self._conn.execute(
            sa.select(_works).where(below, _works.c.doi > after).order_by(_works.c.doi).limit(limit)
        )
        return [_shown(row) for row in rows], total.scalar_one()


class CrossrefStore:
    """Opens transactions."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Desk]:
        """A transaction that is committed at the end of the block, unless it raises."""
        async with self._engine.begin() as conn:
            yield Desk(conn, self._clock.now())


def _shown(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "DOI": row.doi,
        "URL": f"https://doi.org/{row.doi}",
        "prefix": row.doi.partition("/")[0],
        "type": row.type,
        "title": [row.title],
        "resource": {"primary": {"URL": row.url}},
        "deposited": {"date-time": f"{row.deposited:%Y-%m-%dT%H:%M:%SZ}"},
    }
