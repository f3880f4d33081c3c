"""Files of records in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from indigo_kernel.problems import NotFound
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_repository.adapters.db.tables import files
from indigo_repository.domain.files import Damage, File, FileState


class FileRows:
    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def of(self, record_id: str) -> list[File]:
        query = sa.select(files).where(files.c.record_id == record_id).order_by(files.c.key)
        return [_file(row) for row in await self._conn.execute(query)]

    async def get(self, record_id: str, key: str) -> File:
        query = sa.select(files).where(files.c.record_id == record_id, files.c.key == key)
        row = (await self._conn.execute(query)).one_or_none()
        if row is None:
            raise NotFound("The record has no such file")
        return _file(row)

    async def add(self, new: Iterable[File]) -> None:
        rows = [_row(file) for file in new]
        if rows:
            await self._conn.execute(sa.insert(files), rows)

    async def save(self, file: File) -> None:
        await self._conn.execute(
            sa.update(files).where(files.c.record_id == file.record_id, files.c.key == file.key).values(_row(file))
        )

    async def preserved(self, record_id: str, paths: dict[str, str]) -> None:
        rows = [{"of_key": key, "path": path} for key, path in paths.items()]
        await self._conn.execute(
            _of_record(record_id).values(content_path=sa.bindparam("path"), blob=None),
            rows,
        )

    async def checked(self, record_id: str, damages: dict[str, Damage | None], at: datetime) -> None:
        rows = [{"of_key": key, "found": damage} for key, damage in damages.items()]
        if rows:
            await self._conn.execute(
                _of_record(record_id).values(damage=sa.bindparam("found"), checked_at=at), rows
            )

    async def remove(self, record_id: str, key: str) -> None:
        await self._conn.execute(sa.delete(files).where(files.c.record_id == record_id, files.c.key == key))

    async def totals(self, record_ids: list[str]) -> dict[str, tuple[int, int]]:
        query = (
            sa.select(files.c.record_id, sa.func.count(), sa.func.coalesce(sa.func.sum(files.c.size), 0))
            .where(files.c.record_id.in_(record_ids))
            .group_by(files.c.record_id)
        )
        return {record_id: (count, int(size)) for record_id, count, size in await self._conn.execute(query)}

    async def referenced(self, blobs: list[str]) -> set[str]:
        query = sa.select(files.c.blob).where(files.c.blob.in_(blobs))
        return {blob for (blob,) in await self._conn.execute(query)}


def _of_record(record_id: str) -> sa.Update:
    return sa.update(files).where(files.c.record_id == record_id, files.c.key == sa.bindparam("of_key"))


def _row(file: File) -> dict[str, Any]:
    return asdict(file) | {"state": file.state.value}


def _file(row: sa.Row[Any]) -> File:
    return File(**(dict(row._mapping) | {"state": FileState(row.state)}))  # noqa: SLF001 - a documented name
