"""Where objects are that are not where their paths say, and those on their way there, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from indigo_kernel.db.engine import reading
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from indigo_qos_gateway.adapters.db.objects import among, at_or_below, in_places
from indigo_qos_gateway.adapters.db.tables import places, relocations
from indigo_qos_gateway.application.coalesced import Coalesced
from indigo_qos_gateway.domain.paths import Places, name, parent
from indigo_qos_gateway.domain.relocation import Place, Relocation, Stage

_FIND = sa.select(places).where(places.c.path == sa.bindparam("path"))
_CHILDREN = sa.select(places.c.path).where(places.c.parent == sa.bindparam("path"), places.c.inner.is_not(None))


class SqlPlaceViews:
    """Implements ``application.row_ports.PlaceViews``. What many ask for at the same time is one statement."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = reading(engine)
        self._found = Coalesced(self._find)

    async def find(self, path: str) -> Place | None:
        return await self._found.get(path)

    async def _find(self, paths: Sequence[str]) -> list[Place | Exception | None]:
        async with self._engine.connect() as conn:
            rows = await conn.execute(sa.select(places).where(among(places.c.path, paths)))
            found = {row.path: _place(row) for row in rows}
        return [found.get(path) for path in paths]

    async def among(self, paths: Sequence[str]) -> set[str]:
        async with self._engine.connect() as conn:
            rows = await conn.execute(sa.select(places.c.path).where(among(places.c.path, paths)))
            return {row.path for row in rows}

    async def children(self, path: str) -> Sequence[str]:
        async with self._engine.connect() as conn:
            return [name(row.path) for row in await conn.execute(_CHILDREN, {"path": path})]


class SqlPlaces:
    """Implements ``application.row_ports.PlaceRows``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def find(self, path: str) -> Place | None:
        return _place((await self._conn.execute(_FIND, {"path": path})).one_or_none())

    async def below(self, path: str) -> Sequence[Place]:
        rows = await self._conn.execute(sa.select(places).where(at_or_below(places.c.path, path)))
        return [Place(row.path, row.backend, row.inner, row.storage_class) for row in rows]

    async def keeps(self, backend: str) -> bool:
        kept = sa.select(places.c.path).where(places.c.backend == backend, places.c.inner.is_not(None)).exists()
        coming = sa.select(relocations.c.id).where(relocations.c.backend == backend).exists()
        found: bool = (await self._conn.execute(sa.select(sa.or_(kept, coming)))).scalar_one()
        return found

    async def save(self, place: Place) -> None:
        values = asdict(place) | {"parent": parent(place.path)}
        await self._conn.execute(
            insert(places).values(values).on_conflict_do_update(index_elements=[places.c.path], set_=values)
        )

    async def remove(self, paths: Sequence[str]) -> None:
        await self._conn.execute(sa.delete(places).where(among(places.c.path, paths)))

    async def relocations(self, paths: Sequence[str]) -> Sequence[Relocation]:
        return await self._ending(among(relocations.c.path, paths)) if paths else []

    async def relocations_below(self, path: str, places: Places) -> Sequence[Relocation]:
        return await self._ending(_below(path, places))

    async def relocated(self, path: str, places: Places) -> tuple[int, int]:
        sums = [sa.func.coalesce(sa.func.sum(each), 0) for each in (relocations.c.bytes_done, relocations.c.size)]
        row = (await self._conn.execute(sa.select(*sums).where(_below(path, places)))).one()
        return int(row[0]), int(row[1])

    async def add_relocation(self, new: Relocation) -> None:
        await self._conn.execute(sa.insert(relocations).values(asdict(new)))

    async def save_relocation(self, changed: Relocation) -> bool:
        saved = await self._conn.execute(
            sa.update(relocations).where(relocations.c.id == changed.id).values(asdict(changed))
        )
        return saved.rowcount == 1

    async def end_relocation(self, relocation_id: str) -> bool:
        ended = await self._conn.execute(sa.delete(relocations).where(relocations.c.id == relocation_id))
        return ended.rowcount == 1

    async def _ending(self, condition: sa.ColumnElement[bool]) -> Sequence[Relocation]:
        statement = sa.select(relocations).where(condition).order_by(relocations.c.id).with_for_update()
        return [_relocation(row) for row in await self._conn.execute(statement)]


def _below(path: str, part: Places) -> sa.ColumnElement[bool]:
    return sa.and_(at_or_below(relocations.c.path, path), in_places(relocations.c.path, part))


def _place(row: sa.Row[Any] | None) -> Place | None:
    return None if row is None else Place(row.path, row.backend, row.inner, row.storage_class)


def _relocation(row: sa.Row[Any]) -> Relocation:
    values = row._asdict()
    return Relocation(**{**values, "stage": Stage(values["stage"])})
