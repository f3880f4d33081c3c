"""Deposits at Crossref in PostgreSQL: records that wait, batches that are under way, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from indigo_kernel.db.uow import UnitOfWork
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_pid.adapters.db.tables import crossref_batches as batches
from indigo_pid.adapters.db.tables import crossref_deposits as deposits

_BATCHES = sa.select(*(column for column in batches.c if column is not batches.c.document))
"""Without their documents, which are large and read by nobody but the sender."""


class Outcome(StrEnum):
    REGISTERED = "registered"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Deposit:
    """The newest deposit of one DOI. Without a ``batch_id`` it waits; with an ``outcome`` it is over."""

    doi: str
    revision: int
    lane: str
    record: str | None
    most: int
    """Records a batch with this one may have: fewer when it was part of one that was refused as a whole."""
    batch_id: str | None = None
    timestamp: int | None = None
    """Of the batch it was put into last, or the one before: the next must be higher."""
    outcome: Outcome | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch from the moment its document is fixed until its report is read.

    ``sends`` counts the times sending began. ``accepted_at`` is when it was known to have arrived.
    """

    batch_id: str
    lane: str
    timestamp: int
    next_at: datetime
    sends: int = 0
    accepted_at: datetime | None = None
    polls: int = 0
    failures: int = 0
    standing: str = "not sent yet"


class SqlDeposits:
    """Deposits and batches, in one transaction."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def find(self, doi: str) -> Deposit | None:
        """The deposit of ``doi``, locked."""
        statement = sa.select(deposits).where(deposits.c.doi == doi).with_for_update()
        row = (await self._conn.execute(statement)).one_or_none()
        return None if row is None else _deposit(row)

    async def save(self, deposit: Deposit) -> None:
        values = {
            "doi": deposit.doi,
            "revision": deposit.revision,
            "lane": deposit.lane,
            "record": deposit.record,
            "most": deposit.most,
            "batch_id": deposit.batch_id,
            "timestamp": deposit.timestamp,
            "outcome": deposit.outcome,
            "message": deposit.message,
        }
        await self._conn.execute(
            insert(deposits).values(values).on_conflict_do_update(index_elements=[deposits.c.doi], set_=values)
        )

    async def waiting(self, lane: str, *, limit: int | None) -> Sequence[Deposit]:
        """Those of a lane that are in no batch, locked; those that go into the smallest batches first."""
        statement = (
            sa.select(deposits)
            .where(deposits.c.lane == lane, deposits.c.batch_id.is_(None), deposits.c.outcome.is_(None))
            .order_by(deposits.c.most, deposits.c.doi)
            .limit(limit)
            .with_for_update()
        )
        return [_deposit(row) for row in await self._conn.execute(statement)]

    async def put_into(self, batch: Batch, members: Sequence[Deposit]) -> None:
        """Note that the records of ``members`` are in the batch."""
        await self._conn.execute(
            sa.update(deposits)
            .where(deposits.c.doi == sa.any_(sa.literal([one.doi for one in members], ARRAY(sa.Text))))
            .values(batch_id=batch.batch_id, timestamp=batch.timestamp)
        )

    async def of_batch(self, batch_id: str) -> Sequence[Deposit]:
        """The deposits whose newest record is in the batch, locked."""
        statement = (
            sa.select(deposits).where(deposits.c.batch_id == batch_id).order_by(deposits.c.doi).with_for_update()
        )
        return [_deposit(row) for row in await self._conn.execute(statement)]

    async def last_timestamp(self) -> int:
        """The highest one that was ever given; 0 before the first."""
        highest = sa.select(
            sa.func.greatest(
                sa.select(sa.func.max(deposits.c.timestamp)).scalar_subquery(),
                sa.select(sa.func.max(batches.c.timestamp)).scalar_subquery(),
                0,
            )
        )
        return int((await self._conn.execute(highest)).scalar_one())

    async def batch(self, batch_id: str) -> Batch | None:
        row = (await self._conn.execute(_BATCHES.where(batches.c.batch_id == batch_id))).one_or_none()
        return None if row is None else _batch(row)

    async def batches(self, lane: str) -> Sequence[Batch]:
        """All that are under way in a lane, oldest first."""
        statement = _BATCHES.where(batches.c.lane == lane).order_by(batches.c.timestamp)
        return [_batch(row) for row in await self._conn.execute(statement)]

    async def document(self, batch: Batch) -> str:
        """The document of a batch, as it was fixed."""
        statement = sa.select(batches.c.document).where(batches.c.batch_id == batch.batch_id)
        return str((await self._conn.execute(statement)).scalar_one())

    async def add_batch(self, batch: Batch, document: str) -> None:
        """Store a new one."""
        values = {"batch_id": batch.batch_id, "lane": batch.lane, "timestamp": batch.timestamp}
        await self._conn.execute(insert(batches).values(**values, document=document, **_progress(batch)))

    async def save_batch(self, batch: Batch) -> None:
        """Store how far it is."""
        await self._conn.execute(
            sa.update(batches).where(batches.c.batch_id == batch.batch_id).values(_progress(batch))
        )

    async def end(self, batch: Batch) -> None:
        """Forget a batch whose outcomes are known."""
        await self._conn.execute(sa.delete(batches).where(batches.c.batch_id == batch.batch_id))


def _progress(batch: Batch) -> dict[str, Any]:
    return {
        "next_at": batch.next_at,
        "sends": batch.sends,
        "accepted_at": batch.accepted_at,
        "polls": batch.polls,
        "failures": batch.failures,
        "standing": batch.standing,
    }


class DepositWork(UnitOfWork):
    """A transaction over deposits and the jobs for them."""

    deposits: SqlDeposits

    async def open(self) -> None:
        self.deposits = SqlDeposits(self.conn)


NewDepositWork = Callable[[], DepositWork]


def _deposit(row: sa.Row[Any]) -> Deposit:
    return Deposit(
        doi=row.doi,
        revision=row.revision,
        lane=row.lane,
        record=row.record,
        most=row.most,
        batch_id=row.batch_id,
        timestamp=row.timestamp,
        outcome=None if row.outcome is None else Outcome(row.outcome),
        message=row.message,
    )


def _batch(row: sa.Row[Any]) -> Batch:
    return Batch(
        batch_id=row.batch_id,
        lane=row.lane,
        timestamp=row.timestamp,
        next_at=row.next_at,
        sends=row.sends,
        accepted_at=row.accepted_at,
        polls=row.polls,
        failures=row.failures,
        standing=row.standing,
    )
