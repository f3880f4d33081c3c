"""Transitions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from indigo_contracts.qos import PlacedObject, TransitionState
from indigo_contracts.repository import PlanLink
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_qos_gateway.adapters.db.objects import among, at_or_below, in_places
from indigo_qos_gateway.adapters.db.sets import RowSet
from indigo_qos_gateway.adapters.db.tables import transitions
from indigo_qos_gateway.domain.paths import Places
from indigo_qos_gateway.domain.storage import ObjectType
from indigo_qos_gateway.domain.transition import ACTIVE, Transition

_ACTIVE = [state.value for state in ACTIVE]
_VERSIONS = sa.text("SELECT id, version FROM transitions WHERE id = ANY(:ids) ORDER BY id FOR UPDATE")
_NEVER_CHANGED = {"path", "object_type", "requested_at", "record_id", "batch_id"}
_ALL = RowSet(transitions, [each.name for each in transitions.c], ["id"])
_CHANGING = RowSet(transitions, [each.name for each in transitions.c if each.name not in _NEVER_CHANGED], ["id"])


class SqlTransitions:
    """Implements ``application.row_ports.Transitions``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def get(self, transition_id: str, *, for_update: bool = False) -> Transition | None:
        statement = sa.select(transitions).where(transitions.c.id == transition_id)
        if for_update:
            statement = statement.with_for_update()
        row = (await self._conn.execute(statement)).one_or_none()
        return None if row is None else _transition(row)

    async def many(self, ids: Sequence[str], *, for_update: bool = False) -> Mapping[str, Transition]:
        statement = sa.select(transitions).where(among(transitions.c.id, ids)).order_by(transitions.c.id)
        if for_update:
            statement = statement.with_for_update()
        return {row.id: _transition(row) for row in await self._conn.execute(statement)}

    async def versions(self, ids: Sequence[str]) -> Mapping[str, int]:
        rows = await self._conn.execute(_VERSIONS, {"ids": list(ids)})
        return {row.id: row.version for row in rows}

    async def add(self, *new: Transition) -> None:
        await _ALL.insert(self._conn, [_values(each) for each in new])

    async def save(self, *changed: Transition) -> None:
        await _CHANGING.update(self._conn, [_values(each) for each in changed])

    async def active_among(self, paths: Sequence[str]) -> Sequence[Transition]:
        rows = await self._conn.execute(
            sa.select(transitions)
            .where(
                transitions.c.state.in_(_ACTIVE),
                among(transitions.c.path, paths),
            )
            .order_by(sa.func.length(transitions.c.path).desc())
        )
        return [_transition(row) for row in rows]

    async def any_below(self, path: str) -> bool:
        below = sa.exists().where(transitions.c.state.in_(_ACTIVE), at_or_below(transitions.c.path, path))
        return bool((await self._conn.execute(sa.select(below))).scalar_one())

    async def last_of_record(self, record_id: str) -> Transition | None:
        row = (
            await self._conn.execute(
                sa.select(transitions)
                .where(
                    transitions.c.record_id == record_id,
                    transitions.c.object_type == ObjectType.CONTAINER.value,
                    transitions.c.path.like("%/" + record_id),
                )
                .order_by(transitions.c.id.desc())
                .limit(1)
            )
        ).one_or_none()
        return None if row is None else _transition(row)

    async def listed(
        self,
        *,
        path: str | None,
        record_id: str | None,
        state: TransitionState | None,
        places: Places | None,
        before: str | None,
        limit: int,
    ) -> Sequence[Transition]:
        statement = sa.select(transitions).order_by(transitions.c.id.desc()).limit(limit)
        if path is not None:
            statement = statement.where(at_or_below(transitions.c.path, path))
        if record_id is not None:
            statement = statement.where(transitions.c.record_id == record_id)
        if state is not None:
            statement = statement.where(transitions.c.state == state.value)
        if places is not None:
            statement = statement.where(in_places(transitions.c.path, places))
        if before is not None:
            statement = statement.where(transitions.c.id < before)
        return [_transition(row) for row in await self._conn.execute(statement)]


def _values(transition: Transition) -> dict[str, Any]:
    return {
        "id": transition.id,
        "path": transition.path,
        "object_type": transition.object_type.value,
        "backend": transition.backend,
        "source_backend": transition.source_backend,
        "target_backend": transition.target_backend,
        "source_class": transition.source_class,
        "target_class": transition.target_class,
        "state": transition.state.value,
        "version": transition.version,
        "record_id": transition.record_id,
        "batch_id": transition.batch_id,
        "plan": transition.plan.model_dump(mode="json") if transition.plan else None,
        "handles": dict(transition.handles),
        "cancel_requested": transition.cancel_requested,
        "objects": [placed.model_dump(mode="json") for placed in transition.objects],
        "provided": dict(transition.provided),
        "bytes_total": transition.bytes_total,
        "bytes_done": transition.bytes_done,
        "error": transition.error,
        "requested_at": transition.requested_at,
        "started_at": transition.started_at,
        "finished_at": transition.finished_at,
    }


def _transition(row: sa.Row[Any]) -> Transition:
    return Transition(
        id=row.id,
        path=row.path,
        object_type=ObjectType(row.object_type),
        backend=row.backend,
        source_backend=row.source_backend,
        target_backend=row.target_backend,
        source_class=row.source_class,
        target_class=row.target_class,
        state=TransitionState(row.state),
        version=row.version,
        record_id=row.record_id,
        batch_id=row.batch_id,
        plan=PlanLink.model_validate(row.plan) if row.plan else None,
        handles=row.handles,
        cancel_requested=row.cancel_requested,
        objects=tuple(PlacedObject.model_validate(each) for each in row.objects),
        provided=row.provided,
        bytes_total=row.bytes_total,
        bytes_done=row.bytes_done,
        error=row.error,
        requested_at=row.requested_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
