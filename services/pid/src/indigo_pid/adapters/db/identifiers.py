"""Identifiers in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from indigo_contracts.pid import IdentifierState
from indigo_contracts.repository import RecordKind, RecordSnapshot
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_pid.adapters.db.rows import with_rows
from indigo_pid.adapters.db.tables import identifier_history, identifiers
from indigo_pid.domain.handle_values import LOCATIONS, first_text
from indigo_pid.domain.history import Entry
from indigo_pid.domain.identifier import Identifier, Owner
from indigo_pid.domain.names import Name, Scheme, ascii_lower, parse_name
from indigo_pid.domain.namespaces import NAMESPACE
from indigo_pid.domain.resolution import NO_TEMPLATE, Row

_COLUMN = {
    Scheme.HANDLE: identifiers.c.handle_key,
    Scheme.DOI: identifiers.c.doi,
    Scheme.ARK: identifiers.c.ark_key,
}


_GIVEN = [column.name for column in identifiers.columns if column.name != "changed_in"]
# A second identifier for a record is an error and not an answer, unlike a name that is taken.
_ADD = (
    "WITH added AS (INSERT INTO identifiers {rows} ON CONFLICT (handle_key) DO NOTHING RETURNING handle)"
    " SELECT array_agg(handle) FROM added"
)
_ADD_HISTORY = "INSERT INTO identifier_history {rows}"


_RESOLVES = identifiers.c.state != IdentifierState.RESERVED.value


def _like(pattern: str) -> str:
    """A pattern with ``*`` for anything, for LIKE with the backslash as its escape."""
    for character in "\\%_":
        pattern = pattern.replace(character, f"\\{character}")
    return pattern.replace("*", "%")


def _has_value(type_: str, like: str) -> sa.ColumnElement[bool]:
    """Whether an identifier has a value of this type that matches, case aside."""
    value = sa.func.jsonb_array_elements(identifiers.c.handle_values).column_valued("value", joins_implicitly=True)
    told = sa.func.jsonb_extract_path_text
    written = (
        sa.select(sa.literal(1))
        .where(
            sa.func.lower(told(value, "type")) == type_.lower(),
            told(value, "data", "value").ilike(like, escape="\\"),
        )
        .correlate(identifiers)
        .exists()
    )
    usual = {"url": identifiers.c.target, "ark": identifiers.c.ark, "doi": identifiers.c.doi}.get(type_.lower())
    if usual is None:
        return written
    return sa.or_(written, sa.and_(identifiers.c.handle_values.is_(None), usual.ilike(like, escape="\\")))


class SqlIdentifiers:
    """Implements ``application.ports.Identifiers``."""

    def __init__(self, conn: AsyncConnection, written: Callable[[Sequence[Row]], None]) -> None:
        """``written`` is told what was stored, and waits for the commit."""
        self._conn = conn
        self._written = written

    async def add(self, made: Sequence[tuple[Identifier, Entry]]) -> set[str]:
        rows = [_values(one) for one, _ in made]
        statement, parameters = with_rows(_ADD, identifiers, _GIVEN, rows)
        free = set((await self._conn.execute(statement, parameters)).scalar_one() or ())
        entries = [_entry_values(entry) for _, entry in made if entry.handle in free]
        if entries:
            columns = identifier_history.columns.keys()
            await self._conn.execute(*with_rows(_ADD_HISTORY, identifier_history, columns, entries))
        self._written([_row(row) for row in rows if row["handle"] in free])
        return free

    async def save(self, identifier: Identifier, entry: Entry | None = None) -> None:
        values = _values(identifier)
        await self._conn.execute(
            sa.update(identifiers)
            .where(identifiers.c.handle == identifier.handle)
            .values({**values, "changed_in": sa.func.txid_current()})
        )
        if entry is not None:
            await self._conn.execute(sa.insert(identifier_history).values(_entry_values(entry)))
        self._written([_row(values)])

    async def history(self, handle: str) -> list[Entry]:
        rows = await self._conn.execute(
            sa.select(identifier_history)
            .where(identifier_history.c.handle == handle)
            .order_by(identifier_history.c.version)
        )
        return [
            Entry(row.handle, row.version, row.content, row.hash, _owner(row.actor_iss, row.actor_sub))
            for row in rows
        ]

    async def taken(self, names: Sequence[Name]) -> dict[str, IdentifierState]:
        keys = [name.key for name in names]
        rows = await self._conn.execute(
            sa.select(identifiers.c.handle_key, identifiers.c.state).where(
                identifiers.c.handle_key == sa.any_(sa.literal(keys, ARRAY(sa.Text)))
            )
        )
        return {row.handle_key: IdentifierState(row.state) for row in rows}

    async def with_handles(self, names: Sequence[Name]) -> dict[str, Identifier]:
        keys = [name.key for name in names]
        statement = sa.select(identifiers).where(
            identifiers.c.handle_key == sa.any_(sa.literal(keys, ARRAY(sa.Text)))
        )
        return {row.handle_key: _identifier(row) for row in await self._conn.execute(statement)}

    async def of_handle(self, handle: str) -> Identifier | None:
        return await self._one(identifiers.c.handle == handle, for_update=True)

    async def of_concept(self, concept: str) -> list[Identifier]:
        return await self._all(identifiers.c.concept == concept)

    async def find(self, name: Name, *, for_update: bool = False) -> Identifier | None:
        return await self._one(_COLUMN[name.scheme] == name.key, for_update=for_update)

    async def of_record(self, record_id: str, *, for_update: bool = False) -> Identifier | None:
        return await self._one(identifiers.c.record_id == record_id, for_update=for_update)

    async def of_plan(self, plan_id: str) -> list[Identifier]:
        return await self._all(identifiers.c.plan_id == plan_id)

    async def unused(self, *, after: str | None, limit: int) -> list[Identifier]:
        statement = (
            sa.select(identifiers)
            .where(~_RESOLVES, identifiers.c.reason.is_not(None))
            .order_by(identifiers.c.handle_key)
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(identifiers.c.handle_key > after)
        return [_identifier(row) for row in await self._conn.execute(statement)]

    async def after(self, record_id: str) -> list[Identifier]:
        return await self._all(identifiers.c.previous_record_id == record_id)

    async def under(self, prefix: str, *, skip: int, limit: int) -> tuple[list[str], int]:
        condition = sa.and_(
            identifiers.c.handle_key.startswith(f"{ascii_lower(prefix)}/", autoescape=True), _RESOLVES
        )
        total = await self._conn.execute(sa.select(sa.func.count()).select_from(identifiers).where(condition))
        rows = await self._conn.execute(
            sa.select(identifiers.c.handle)
            .where(condition)
            .order_by(identifiers.c.handle_key)
            .offset(skip)
            .limit(limit)
        )
        return list(rows.scalars()), total.scalar_one()

    async def with_values(self, patterns: Sequence[tuple[str, str]], *, limit: int) -> list[str]:
        conditions = [_has_value(type_, _like(pattern)) for type_, pattern in patterns]
        rows = await self._conn.execute(
            sa.select(identifiers.c.handle)
            .where(_RESOLVES, *conditions)
            .order_by(identifiers.c.handle_key)
            .limit(limit)
        )
        return list(rows.scalars())

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


def _entry_values(entry: Entry) -> dict[str, Any]:
    return {
        "handle": entry.handle,
        "version": entry.version,
        "content": entry.content,
        "hash": entry.hash,
        "actor_iss": entry.actor.iss if entry.actor else None,
        "actor_sub": entry.actor.sub if entry.actor else None,
    }


def _owner(iss: str | None, sub: str | None) -> Owner | None:
    return None if iss is None or sub is None else Owner(iss, sub)


def _key(name: str) -> str:
    parsed = parse_name(name)
    assert parsed is not None, f"{name} was made here"
    return parsed.key


def _row(values: Mapping[str, Any]) -> Row:
    """What the name index takes of a row's values."""
    return Row(
        values["handle_key"],
        values["ark_key"] or "",
        values["doi"] or "",
        values["state"],
        values["target"] or "",
        values["choice"],
        _template(values),
    )


def _template(values: Mapping[str, Any]) -> str:
    """The values of a handle that has a template, as ``Row`` has them."""
    written = values["handle_values"]
    if written is None:
        return ""
    is_active = values["state"] == IdentifierState.ACTIVE.value
    return json.dumps(written) if is_active and first_text(written, NAMESPACE) is not None else NO_TEMPLATE


def _is_choice(identifier: Identifier) -> bool:
    return identifier.values is not None and first_text(identifier.values, LOCATIONS) is not None


def _values(identifier: Identifier) -> dict[str, Any]:
    record = identifier.record
    return {
        "handle": identifier.handle,
        "handle_key": _key(identifier.handle),
        "ark": identifier.ark,
        "ark_key": _key(identifier.ark) if identifier.ark else None,
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
        "citation": identifier.citation,
        "replacement": identifier.replacement,
        "concept": identifier.concept,
        "handle_values": identifier.values,
        "head": identifier.head,
        "choice": _is_choice(identifier),
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
        owner=_owner(row.owner_iss, row.owner_sub),
        record=RecordSnapshot.model_validate(row.record) if row.record else None,
        reason=row.reason,
        citation=row.citation,
        replacement=row.replacement,
        concept=row.concept,
        values=row.handle_values,
        head=row.head,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
