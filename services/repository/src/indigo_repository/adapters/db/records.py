"""Records in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import sqlalchemy as sa
from indigo_contracts.dmp import Person
from indigo_contracts.envelope import Actor
from indigo_contracts.repository import Identifiers, PlanLink, RecordKind, RecordState
from indigo_kernel.problems import NotFound
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_repository.adapters.db.tables import records
from indigo_repository.application.work import Search
from indigo_repository.domain.record import Metadata, Record


class RecordRows:
    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def get(self, record_id: str, *, lock: bool = False) -> Record:
        record = await self.find(record_id, lock=lock)
        if record is None:
            raise NotFound("There is no such record")
        return record

    async def find(self, record_id: str, *, lock: bool = False) -> Record | None:
        query = sa.select(records).where(records.c.id == record_id)
        row = (await self._conn.execute(query.with_for_update() if lock else query)).one_or_none()
        return _record(row) if row is not None else None

    async def add(self, record: Record) -> None:
        await self._conn.execute(sa.insert(records).values(_row(record)))

    async def save(self, record: Record) -> None:
        await self._conn.execute(sa.update(records).where(records.c.id == record.id).values(_row(record)))

    async def remove(self, record_id: str) -> None:
        await self._conn.execute(sa.delete(records).where(records.c.id == record_id))

    async def of_output(self, plan_id: str, output: str) -> Record | None:
        query = (
            sa.select(records)
            .where(records.c.plan_id == plan_id, records.c.output == output, records.c.previous.is_(None))
            .with_for_update()
        )
        row = (await self._conn.execute(query)).one_or_none()
        return _record(row) if row is not None else None

    async def of_plan(self, plan_id: str) -> list[Record]:
        query = (
            sa.select(records)
            .where(
                records.c.plan_id == plan_id,
                records.c.output.is_(None),
                records.c.kind == RecordKind.DMP.value,
                records.c.plan_edition.is_not(None),
            )
            .order_by(records.c.edition)
            .with_for_update()
        )
        return [_record(row) for row in await self._conn.execute(query)]

    async def superseded(self, of: Sequence[Record]) -> set[str]:
        newer = records.alias("newer")
        query = sa.select(records.c.id).where(
            records.c.id.in_([record.id for record in of]),
            sa.exists().where(
                newer.c.object_id == records.c.object_id,
                newer.c.edition > records.c.edition,
                newer.c.state == RecordState.PUBLISHED.value,
            ),
        )
        return set((await self._conn.execute(query)).scalars())

    async def identifier_version(self, record_id: str) -> int:
        query = sa.select(records.c.identifier_version).where(records.c.id == record_id)
        return int((await self._conn.execute(query)).scalar_one())

    async def note_identifier_version(self, record_id: str, version: int) -> None:
        await self._conn.execute(
            sa.update(records).where(records.c.id == record_id).values(identifier_version=version)
        )

    async def search(self, search: Search, *, before: str | None, limit: int) -> list[Record]:
        query = _filtered(sa.select(records), search).order_by(records.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(records.c.id < before)
        return [_record(row) for row in await self._conn.execute(query)]

    async def count(self, search: Search) -> int:
        query = _filtered(sa.select(sa.func.count()).select_from(records), search)
        return int((await self._conn.execute(query)).scalar_one())


def _filtered(query: sa.Select[Any], search: Search) -> sa.Select[Any]:
    visible = records.c.state == RecordState.PUBLISHED.value
    if search.owner_iss is not None:
        visible = sa.or_(
            visible,
            sa.and_(
                records.c.state == RecordState.DRAFT.value,
                records.c.owner_iss == search.owner_iss,
                records.c.owner_sub == search.owner_sub,
            ),
        )
    query = query.where(visible)
    if search.q:
        query = query.where(records.c.search.op("@@")(sa.func.websearch_to_tsquery("simple", search.q)))
    if search.kind:
        query = query.where(records.c.kind == search.kind.value)
    if search.plan_id:
        query = query.where(records.c.plan_id == search.plan_id)
    if search.output:
        query = query.where(records.c.output == search.output)
    return query


def _row(record: Record) -> dict[str, Any]:
    plan = record.plan
    owner = record.owner
    meta = record.metadata
    words = [meta.title, meta.description, *meta.keywords, *(person.name for person in meta.creators)]
    ids = record.identifiers
    return {
        "id": record.id,
        "object_id": record.object_id,
        "edition": record.edition,
        "previous": record.previous,
        "kind": record.kind.value,
        "state": record.state.value,
        "version": record.version,
        "owner_iss": owner.iss if owner else None,
        "owner_sub": owner.sub if owner else None,
        "metadata": metadata_document(meta),
        "plan_id": plan.plan_id if plan else None,
        "plan_edition": plan.edition if plan else None,
        "output": plan.output if plan else None,
        "handle": ids.handle,
        "ark": ids.ark,
        "doi": ids.doi,
        "prefilled": record.prefilled,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "publication": record.publication,
        "published_at": record.published_at,
        "withdrawn_at": record.withdrawn_at,
        "reason": record.reason,
        "search_text": " ".join(word for word in [*words, ids.doi, ids.handle, ids.ark] if word),
    }


def metadata_document(metadata: Metadata) -> dict[str, Any]:
    """Metadata as JSON."""
    document = asdict(metadata)
    document["creators"] = [person.model_dump(mode="json", exclude_none=True) for person in metadata.creators]
    document["publication_date"] = metadata.publication_date and metadata.publication_date.isoformat()
    return document


def _metadata(document: dict[str, Any]) -> Metadata:
    issued = document.get("publication_date")
    return Metadata(
        title=document["title"],
        description=document["description"],
        creators=tuple(Person.model_validate(person) for person in document["creators"]),
        publisher=document["publisher"],
        publication_date=date.fromisoformat(issued) if issued else None,
        language=document["language"],
        keywords=tuple(document["keywords"]),
        license=document["license"],
        access=document["access"],
        formats=tuple(document["formats"]),
    )


def _record(row: sa.Row[Any]) -> Record:
    plan = row.plan_id and PlanLink(plan_id=row.plan_id, edition=row.plan_edition, output=row.output)
    return Record(
        id=row.id,
        object_id=row.object_id,
        edition=row.edition,
        previous=row.previous,
        kind=RecordKind(row.kind),
        state=RecordState(row.state),
        version=row.version,
        owner=Actor(iss=row.owner_iss, sub=row.owner_sub) if row.owner_iss is not None else None,
        metadata=_metadata(row.metadata),
        plan=plan or None,
        identifiers=Identifiers(handle=row.handle, ark=row.ark, doi=row.doi),
        prefilled=row.prefilled,
        created_at=row.created_at,
        updated_at=row.updated_at,
        publication=row.publication,
        published_at=row.published_at,
        withdrawn_at=row.withdrawn_at,
        reason=row.reason,
    )
