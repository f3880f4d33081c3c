"""What the gateway knows of objects, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_qos_gateway.adapters.db.tables import arrivals, batch_targets, objects, timers
from indigo_qos_gateway.application.row_ports import StoredObject
from indigo_qos_gateway.domain.paths import Places
from indigo_qos_gateway.domain.retention import HOLD, PERIOD
from indigo_qos_gateway.domain.storage import ObjectType


class SqlObjects:
    """Implements ``application.row_ports.Objects``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def find(self, path: str, *, for_update: bool = False) -> StoredObject | None:
        return await self._one(objects.c.path == path, for_update=for_update)

    async def among(self, paths: Sequence[str]) -> Mapping[str, StoredObject]:
        rows = await self._conn.execute(sa.select(objects).where(among(objects.c.path, paths)))
        return {row.path: stored_object(row._asdict()) for row in rows}

    async def retained(self, path: str) -> Sequence[StoredObject]:
        rows = await self._conn.execute(
            sa.select(objects).where(
                at_or_below(objects.c.path, path),
                sa.or_(objects.c.metadata.has_key(PERIOD), objects.c.metadata.has_key(HOLD)),
            )
        )
        return [stored_object(row._asdict()) for row in rows]

    async def checksums(self, paths: Sequence[str]) -> Mapping[str, str]:
        rows = await self._conn.execute(
            sa.select(objects.c.path, objects.c.sha256).where(
                among(objects.c.path, paths),
                objects.c.sha256.is_not(None),
                ~sa.exists().where(arrivals.c.path == objects.c.path),
            )
        )
        return {row.path: row.sha256 for row in rows}

    async def by_id(self, object_id: str) -> StoredObject | None:
        return await self._one(objects.c.object_id == object_id.upper())

    async def add(self, new: StoredObject) -> StoredObject:
        await self._conn.execute(
            insert(objects).values(_values(new)).on_conflict_do_nothing(index_elements=[objects.c.path])
        )
        stored = await self.find(new.path)
        assert stored is not None
        return stored

    async def save(self, changed: StoredObject) -> None:
        values = _values(changed)
        await self._conn.execute(
            insert(objects).values(values).on_conflict_do_update(index_elements=[objects.c.path], set_=values)
        )

    async def associate(self, paths: Sequence[str], at: datetime) -> None:
        await self._conn.execute(
            sa.update(objects).where(among(objects.c.path, paths))
            .values(association_time=at)
        )  # fmt: skip

    async def rename(self, source: str, path: str, domain: str | None) -> None:
        # Those that were just made at the new place know the checksums; they give up their identities.
        tail = sa.func.substr(objects.c.path, len(source) + 1)
        kept = (objects.c.object_id, objects.c.created_at, objects.c.domain)
        known = sa.select(*kept, (sa.literal(path) + tail).label("there"))
        rows = (await self._conn.execute(known.where(at_or_below(objects.c.path, source)))).all()
        await self.forget(source)
        if rows:
            await self._conn.execute(
                sa.update(objects)
                .where(objects.c.path == sa.bindparam("there"))
                .values(object_id=sa.bindparam("was"), created_at=sa.bindparam("made"), domain=sa.bindparam("of")),
                [
                    {
                        "there": row.there,
                        "was": row.object_id,
                        "made": row.created_at,
                        "of": domain if domain is not None and row.there == path else row.domain,
                    }
                    for row in rows
                ],
            )

    async def forget(self, path: str) -> None:
        await self._conn.execute(sa.delete(objects).where(at_or_below(objects.c.path, path)))
        await self._conn.execute(sa.delete(timers).where(at_or_below(timers.c.path, path)))
        await self._conn.execute(sa.delete(arrivals).where(at_or_below(arrivals.c.path, path)))
        # What was staged has no class to go back to any more; what is stored here next was not staged.
        loan = batch_targets.c
        await self._conn.execute(
            sa.update(batch_targets)
            .where(at_or_below(loan.path, path), loan.home_class.is_not(None))
            .values(home_class=None)
        )

    async def _one(self, condition: sa.ColumnElement[bool], *, for_update: bool = False) -> StoredObject | None:
        statement = sa.select(objects).where(condition)
        if for_update:
            statement = statement.with_for_update()
        row = (await self._conn.execute(statement)).one_or_none()
        return None if row is None else stored_object(row._asdict())


def at_or_below(column: sa.Column[str], path: str) -> sa.ColumnElement[bool]:
    """Whether a path is ``path`` or below it; ``0`` is the character after ``/``."""
    if path == "/":
        return sa.true()
    return sa.or_(column == path, sa.and_(column > path + "/", column < path + "0"))


def in_places(column: sa.Column[str], places: Places) -> sa.ColumnElement[bool]:
    """Whether a path is in that part of the tree."""
    there = (sa.literal("/") + sa.func.split_part(column, "/", 2)).in_(places.prefixes)
    return sa.not_(there) if places.others else there


def among(column: sa.Column[str], values: Collection[str]) -> sa.ColumnElement[bool]:
    """Whether it is one of these, however many they are: they travel as one array."""
    return column == sa.any_(sa.literal(list(values), sa.ARRAY(sa.Text)))


def _values(stored: StoredObject) -> dict[str, Any]:
    return {
        "object_id": stored.object_id,
        "path": stored.path,
        "object_type": stored.object_type.value,
        "mimetype": stored.mimetype,
        "encoding": stored.encoding,
        "metadata": dict(stored.metadata),
        "groups": list(stored.groups),
        "sha256": stored.sha256,
        "created_at": stored.created_at,
        "association_time": stored.association_time,
        "domain": stored.domain,
        "partial": stored.partial,
    }


def stored_object(row: Mapping[str, Any]) -> StoredObject:
    return StoredObject(
        object_id=row["object_id"],
        path=row["path"],
        object_type=ObjectType(row["object_type"]),
        mimetype=row["mimetype"],
        encoding=row["encoding"],
        metadata=row["metadata"],
        groups=tuple(row["groups"]),
        sha256=row["sha256"],
        created_at=row["created_at"],
        association_time=row["association_time"],
        domain=row["domain"],
        partial=row["partial"],
    )
