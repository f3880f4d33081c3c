"""Requests for many changes of class, in PostgreSQL. No method costs a round trip per target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from indigo_contracts.qos import TransitionState
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_qos_gateway.adapters.db.objects import among
from indigo_qos_gateway.adapters.db.sets import RowSet
from indigo_qos_gateway.adapters.db.tables import batch_targets, batches
from indigo_qos_gateway.domain.batch import Batch, BatchKind, Counts, Loan, Target

_T = batch_targets.c

_CALLED_OFF = sa.text(
    "SELECT target.path FROM batch_targets target JOIN transitions ON transitions.id = target.transition_id"
    " WHERE target.batch_id = :batch_id AND target.state = 'STARTED'"
    " AND (target.cancel_requested OR transitions.cancel_requested)"
)
_END_DUE = sa.text(
    "UPDATE batch_targets SET released_at = :now WHERE (batch_id, position) IN ("
    " SELECT batch_id, position FROM batch_targets WHERE pinned_until <= :now AND released_at IS NULL"
    " ORDER BY pinned_until LIMIT :n FOR UPDATE SKIP LOCKED) RETURNING path"
)
# A loan ends when no request holds the file on disk and none is about to.
_HOMELESS = sa.text(
    "SELECT DISTINCT ON (path) path, target_class, home_class FROM batch_targets loan"
    " WHERE path = ANY(:paths) AND home_class IS NOT NULL"
    " AND (released_at IS NOT NULL OR state IN ('FAILED', 'CANCELLED')) AND NOT EXISTS ("
    "  SELECT FROM batch_targets other JOIN batches ON batches.id = other.batch_id"
    "  WHERE other.path = loan.path AND batches.kind = 'stage' AND (other.state IN ('SUBMITTED', 'STARTED')"
    "  OR (other.pinned_until IS NOT NULL AND other.released_at IS NULL)))"
    " ORDER BY path, finished_at DESC"
)


_GIVEN = ("position", "path", "target_class", "expected_class", "lifetime")
_SAVED = (
    "position",
    "target_class",
    "home_class",
    "transition_id",
    "error",
    "attempts",
    "started_at",
    "finished_at",
    "pinned_until",
)
_KEY = ("batch_id", "position")
_NEW = RowSet(batch_targets, ("batch_id", "state", *_GIVEN), _KEY)
_CHANGED = RowSet(batch_targets, ("batch_id", "state", *_SAVED), _KEY)


class SqlBatches:
    """Implements ``application.row_ports.Batches``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def add(self, batch: Batch, targets: Sequence[Target]) -> None:
        await self._conn.execute(
            sa.insert(batches).values(
                id=batch.id,
                kind=batch.kind.value,
                target_class=batch.target_class,
                owner_iss=batch.owner[0],
                owner_sub=batch.owner[1],
                total=batch.total,
                requested_at=batch.requested_at,
            )
        )
        await _NEW.insert(
            self._conn,
            [
                {name: getattr(each, name) for name in _GIVEN} | {"batch_id": batch.id, "state": each.state.value}
                for each in targets
            ],
        )

    async def get(self, batch_id: str) -> Batch | None:
        return await self._one(batches.c.id == batch_id, ~batches.c.removed)

    async def kind_of(self, batch_id: str) -> Batch | None:
        return await self._one(batches.c.id == batch_id)

    async def active_of(self, owner: tuple[str, str]) -> int:
        count = sa.select(sa.func.count()).where(
            batches.c.owner_iss == owner[0], batches.c.owner_sub == owner[1], batches.c.finished_at.is_(None)
        )
        return int((await self._conn.execute(count)).scalar_one())

    async def started(self, batch_id: str) -> Sequence[Target]:
        return await self._targets(_T.batch_id == batch_id, _T.state == "STARTED")

    async def submitted(self, batch_id: str, *, after: int, limit: int) -> Sequence[Target]:
        return await self._targets(
            _T.batch_id == batch_id, _T.state == "SUBMITTED", _T.position > after, limit=limit
        )

    async def still_submitted(self, batch_id: str, positions: Sequence[int]) -> set[int]:
        rows = await self._conn.execute(
            sa.select(_T.position)
            .where(
                _T.batch_id == batch_id,
                _T.position == sa.any_(sa.literal(list(positions), sa.ARRAY(sa.Integer))),
                _T.state == "SUBMITTED",
            )
            .order_by(_T.position)
            .with_for_update()
        )
        return set(rows.scalars())

    async def called_off(self, batch_id: str) -> set[str]:
        return set((await self._conn.execute(_CALLED_OFF, {"batch_id": batch_id})).scalars())

    async def stopped(self, batch_id: str, positions: Sequence[int]) -> set[int]:
        rows = await self._conn.execute(
            sa.select(_T.position, _T.cancel_requested)
            .where(
                _T.batch_id == batch_id, _T.position == sa.any_(sa.literal(list(positions), sa.ARRAY(sa.Integer)))
            )
            .order_by(_T.position)
            .with_for_update()
        )
        return {row.position for row in rows if row.cancel_requested}

    async def targets(
        self, batch_id: str, *, state: TransitionState | None, after: int, limit: int | None
    ) -> Sequence[Target]:
        these = [_T.batch_id == batch_id, _T.position > after]
        return await self._targets(*these, *([] if state is None else [_T.state == state.value]), limit=limit)

    async def counts(self, batch_id: str) -> Counts:
        rows = await self._conn.execute(
            sa.select(_T.state, sa.func.count().label("n")).where(_T.batch_id == batch_id).group_by(_T.state)
        )
        return Counts({TransitionState(row.state): row.n for row in rows})

    async def save(self, batch_id: str, targets: Sequence[Target]) -> None:
        await _CHANGED.update(
            self._conn,
            [
                {name: getattr(each, name) for name in _SAVED} | {"batch_id": batch_id, "state": each.state.value}
                for each in targets
            ],
        )

    async def begin(self, batch_id: str, at: datetime) -> None:
        await self._set(batch_id, started_at=sa.func.coalesce(batches.c.started_at, at))

    async def finish(self, batch_id: str, at: datetime) -> None:
        await self._set(batch_id, finished_at=sa.func.coalesce(batches.c.finished_at, at))

    async def known(self, batch_id: str, paths: Sequence[str]) -> set[str]:
        rows = await self._conn.execute(sa.select(_T.path).where(_T.batch_id == batch_id, among(_T.path, paths)))
        return set(rows.scalars())

    async def cancel(self, batch_id: str, paths: Sequence[str] | None, at: datetime) -> None:
        these = [_T.batch_id == batch_id] + ([] if paths is None else [among(_T.path, paths)])
        await self._conn.execute(
            sa.update(batch_targets).where(*these, _T.state == "STARTED").values(cancel_requested=True)
        )
        await self._conn.execute(
            sa.update(batch_targets)
            .where(*these, _T.state == "SUBMITTED")
            .values(state="CANCELLED", finished_at=at)
        )

    async def remove(self, batch_id: str) -> None:
        await self._set(batch_id, removed=True)

    async def loans(self, paths: Sequence[str]) -> Mapping[str, Loan]:
        rows = await self._conn.execute(
            sa.select(_T.path, _T.target_class, _T.home_class)
            .where(
                among(_T.path, paths),
                _T.home_class.is_not(None),
                # or it was about to go home and was kept
                sa.or_(_T.state == "COMPLETED", _T.expected_class.is_not(None)),
            )
            .order_by(_T.finished_at)
        )
        return {row.path: Loan(row.path, row.target_class, row.home_class) for row in rows}

    async def release(self, batch_id: str, paths: Sequence[str] | None, at: datetime) -> Sequence[str]:
        these = [_T.batch_id == batch_id] + ([] if paths is None else [among(_T.path, paths)])
        return await self._release(at, *these)

    async def release_paths(self, paths: Sequence[str], owner: tuple[str, str], at: datetime) -> None:
        mine = sa.select(batches.c.id).where(
            batches.c.owner_iss == owner[0], batches.c.owner_sub == owner[1], batches.c.kind == "stage"
        )
        await self._release(at, among(_T.path, paths), _T.batch_id.in_(mine))

    async def end_due_pins(self, now: datetime, limit: int) -> Sequence[str]:
        rows = await self._conn.execute(_END_DUE, {"now": now, "n": limit})
        return list(rows.scalars())

    async def next_pin(self) -> datetime | None:
        pinned = sa.select(sa.func.min(_T.pinned_until)).where(
            _T.pinned_until.is_not(None), _T.released_at.is_(None)
        )
        found: datetime | None = (await self._conn.execute(pinned)).scalar_one()
        return found

    async def homeless(self, paths: Sequence[str]) -> Sequence[Loan]:
        rows = await self._conn.execute(_HOMELESS, {"paths": list(paths)})
        return [Loan(row.path, row.target_class, row.home_class) for row in rows]

    async def pinned(self, paths: Sequence[str]) -> set[str]:
        rows = await self._conn.execute(
            sa.select(_T.path).where(among(_T.path, paths), _T.pinned_until.is_not(None), _T.released_at.is_(None))
        )
        return set(rows.scalars())

    async def sent_home(self, paths: Sequence[str]) -> None:
        await self._conn.execute(
            sa.update(batch_targets)
            .where(among(_T.path, paths), _T.home_class.is_not(None))
            .values(home_class=None)
        )

    async def _targets(self, *these: sa.ColumnElement[bool], limit: int | None = None) -> list[Target]:
        rows = await self._conn.execute(sa.select(batch_targets).where(*these).order_by(_T.position).limit(limit))
        return [_target(row) for row in rows]

    async def _release(self, at: datetime, *these: sa.ColumnElement[bool]) -> Sequence[str]:
        rows = await self._conn.execute(
            sa.update(batch_targets)
            .where(*these, _T.pinned_until.is_not(None), _T.released_at.is_(None))
            .values(released_at=at)
            .returning(_T.path)
        )
        return list(rows.scalars())

    async def _set(self, batch_id: str, **values: Any) -> None:
        await self._conn.execute(sa.update(batches).where(batches.c.id == batch_id).values(values))

    async def _one(self, *conditions: sa.ColumnElement[bool]) -> Batch | None:
        row = (await self._conn.execute(sa.select(batches).where(*conditions))).one_or_none()
        if row is None:
            return None
        return Batch(
            id=row.id,
            kind=BatchKind(row.kind),
            owner=(row.owner_iss, row.owner_sub),
            requested_at=row.requested_at,
            total=row.total,
            target_class=row.target_class,
            started_at=row.started_at,
            finished_at=row.finished_at,
        )


def _target(row: sa.Row[Any]) -> Target:
    return Target(
        position=row.position,
        path=row.path,
        state=TransitionState(row.state),
        target_class=row.target_class,
        expected_class=row.expected_class,
        home_class=row.home_class,
        transition_id=row.transition_id,
        error=row.error,
        attempts=row.attempts,
        cancel_requested=row.cancel_requested,
        lifetime=row.lifetime,
        started_at=row.started_at,
        finished_at=row.finished_at,
        pinned_until=row.pinned_until,
    )
