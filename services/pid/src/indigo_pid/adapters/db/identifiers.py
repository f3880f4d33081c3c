"""Identifiers in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from indigo_contracts.pid import IdentifierState
from indigo_contracts.repository import RecordKind, RecordSnapshot
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_pid.adapters.db.tables import identifiers
from indigo_pid.domain.identifier import Identifier, Owner
from indigo_pid.domain.names import Name, Scheme, parse_name
from indigo_pid.domain.resolution import Row

_COLUMN = {
    Scheme.HANDLE: identifiers.c.handle_key,
    Scheme.DOI: identifiers.c.doi,
    Scheme.ARK: identifiers.c.ark_key,
}


class SqlIdentifiers:
    """Implements ``application.ports.Identifiers``."""

    def __init__(self, conn: AsyncConnection, written: Callable[[Row], None]) -> None:
        """``written`` is told what was stored, and waits for the commit."""
        self._conn = conn
        self._written = written

    async def add(self, identifier: Identifier) -> bool:
        statement = (
            insert(identifiers)
            .values(_values(identifier))
            # Only a taken name is an answer; a second identifier for a record is an error.
            .on_conflict_do_nothing(index_elements=[identifiers.c.handle])
            .returning(identifiers.c.handle)
        )
        if (await self._conn.execute(statement)).first() is None:
            return False
        self._written(_row(identifier))
        return True

    async def save(self, identifier: Identifier) -> None:
        await self._conn.execute(
            sa.update(identifiers)
            .where(identifiers.c.handle == identifier.handle)
            .values(**_values(identifier), changed_in=sa.func.txid_current())
        )
        self._written(_row(identifier))

    async def find(self, name: Name, *, for_update: bool = False) -> Identifier | None:
        return await self._one(_COLUMN[name.scheme] == name.key, for_update=for_update)

    async def of_record(self, record_id: str, *, for_update: bool = False) -> Identifier | None:
        return await self._one(identifiers.c.record_id == record_id, for_update=for_update)

    async def of_plan(self, plan_id: str) -> list[Identifier]:
        return await self._all(identifiers.c.plan_id == plan_id)

    async def after(self, record_id: str) -> list[Identifier]:
        return await self._all(identifiers.c.previous_record_id == record_id)

    async def _one(self, condition: sa.ColumnElement[bool], *, for_update: bool) -> Identifier | None:
        statement = sa.select(identifiers).where(condition)
        if for_update:
            statement = statement.with_for_update()
        row = (await self._conn.execute(statement)).one_or_none()
        return None if row is None else _identifier(row)

    async def _all(self, condition: sa.ColumnElement[bool]) -> list[Identifier]:
        statement = (
            sa.select(identifiers).where(condition).order_by(identifiers.c.created_at, identifiers.c.handle)
        )
        return [_identifier(row) for row in await self._conn.execute(statement)]


def _key(name: str) -> str:
    parsed = parse_name(name)
    assert parsed is not None, f"{name} was made here"
    return parsed.key


def _row(identifier: Identifier) -> Row:
    return Row(
        _key(identifier.handle),
        _key(identifier.ark),
        identifier.doi or "",
        identifier.state,
        identifier.target or "",
    )


def _values(identifier: Identifier) -> dict[str, Any]:
    record = identifier.record
    return {
        "handle": identifier.handle,
        "handle_key": _key(identifier.handle),
        "ark": identifier.ark,
        "ark_key": _key(identifier.ark),
        "doi": identifier.doi,
        "resolver_url": identifier.resolver_url,
        "state": identifier.state.value,
        "version": identifier.version,
        "kind": identifier.kind.value if identifier.kind else None,
        "target": identifier.target,
        "metadata": identifier.metadata,
        "owner_iss": identifier.owner.iss if identifier.owner else None,
        "owner_sub": identifier.owner.sub if identifier.owner else None,
        "record_id": identifier.record_id,
        "record": record.model_dump(mode="json") if record else None,
        "plan_id": record.plan.plan_id if record and record.plan else None,
        "previous_record_id": record.previous if record else None,
        "reason": identifier.reason,
        "created_at": identifier.created_at,
        "updated_at": identifier.updated_at,
    }


def _identifier(row: sa.Row[Any]) -> Identifier:
    return Identifier(
        handle=row.handle,
        ark=row.ark,
        doi=row.doi,
        resolver_url=row.resolver_url,
        state=IdentifierState(row.state),
        version=row.version,
        kind=RecordKind(row.kind) if row.kind else None,
        target=row.target,
        metadata=row.metadata,
        owner=Owner(row.owner_iss, row.owner_sub) if row.owner_iss is not None else None,
        record=RecordSnapshot.model_validate(row.record) if row.record else None,
        reason=row.reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
