"""Plans and their versions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from indigo_contracts.dmp import PlanState
from indigo_contracts.envelope import Actor
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_dmp.adapters.db.search import search_sql
from indigo_dmp.adapters.db.tables import plan_versions, plans
from indigo_dmp.application.ports import Found, PlanVersion
from indigo_dmp.application.search import Search
from indigo_dmp.domain.plan import Change, Edition, Plan, Withdrawal

_EDITION = sa.and_(plan_versions.c.plan_id == plans.c.id, plan_versions.c.version == plans.c.published_version)
_PLAN = sa.select(plans, plan_versions.c.document.label("published_document")).select_from(
    plans.outerjoin(plan_versions, _EDITION)
)


def visible(who: Principal) -> sa.ColumnElement[bool]:
    """Plans ``who`` may see any of: published ones, his own, and for an operator all."""
    if who.has(Scope.OPERATOR):
        return sa.true()
    return sa.or_(plans.c.state == PlanState.PUBLISHED, owned(who))


def owned(who: Principal) -> sa.ColumnElement[bool]:
    if who.anonymous:
        return sa.false()
    return sa.and_(plans.c.owner_iss == who.iss, plans.c.owner_sub == who.sub)


class PlanTable:
    """Implements ``application.ports.Plans``."""

    def __init__(self, conn: AsyncConnection, now: datetime) -> None:
        self._conn = conn
        self._now = now

    async def get(self, plan_id: str, *, lock: bool = False) -> Plan | None:
        query = _PLAN.where(plans.c.id == plan_id)
        if lock:
            query = query.with_for_update(of=plans)
        row = (await self._conn.execute(query)).one_or_none()
        return _plan(row) if row else None

    async def save(self, plan: Plan, change: Change, actor: Actor | None) -> None:
        values = {
            "id": plan.id,
            "version": plan.version,
            "edition": plan.edition,
            "state": plan.state.value,
            "owner_iss": plan.owner.iss,
            "owner_sub": plan.owner.sub,
            "document": plan.document,
            "created": plan.created,
            "modified": plan.modified,
            "published_version": plan.published.version if plan.published else None,
            "published_at": plan.published.published_at if plan.published else None,
            "withdrawn_at": plan.withdrawal.at if plan.withdrawal else None,
            "withdrawn_reason": plan.withdrawal.reason if plan.withdrawal else None,
        }
        await self._conn.execute(
            insert(plans).values(values).on_conflict_do_update(index_elements=["id"], set_=values)
        )
        await self._conn.execute(
            plan_versions.insert().values(
                plan_id=plan.id,
                version=plan.version,
                edition=plan.edition,
                state=plan.state.value,
                change=change.value,
                changed_at=self._now,
                actor_iss=actor.iss if actor else None,
                actor_sub=actor.sub if actor else None,
                document=plan.document,
            )
        )

    async def remove(self, plan_id: str) -> None:
        await self._conn.execute(plans.delete().where(plans.c.id == plan_id))

    async def known_as(self, owner: Actor, identifier: dict[str, Any]) -> str | None:
        wanted = {"identifier": identifier["identifier"], "type": identifier["type"]}
        held = sa.or_(
            plans.c.document.contains({"dmp": {"dmp_id": wanted}}),
            plans.c.document.contains({"dmp": {"alternate_identifier": [wanted]}}),
        )
        query = (
            sa.select(plans.c.id)
            .where(plans.c.owner_iss == owner.iss, plans.c.owner_sub == owner.sub, held)
            .order_by(plans.c.id)
            .limit(1)
        )
        found: str | None = (await self._conn.execute(query)).scalar_one_or_none()
        return found

    async def page(self, who: Principal, before: str | None, limit: int) -> Sequence[Plan]:
        query = _PLAN.where(visible(who)).order_by(plans.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(plans.c.id < before)
        return [_plan(row) for row in await self._conn.execute(query)]

    async def search(self, search: Search, who: Principal) -> tuple[int, Sequence[Found]]:
        document = sa.case((_sees_all(who), plans.c.document), else_=plan_versions.c.document)
        seen = (
            sa.select(plans.c.id, plans.c.created, document.label("document"))
            .select_from(plans.outerjoin(plan_versions, _EDITION))
            .where(visible(who), plans.c.state != PlanState.WITHDRAWN)
            .subquery("seen")
        )
        conditions, order = search_sql(search, seen)
        total = await self._conn.scalar(sa.select(sa.func.count()).select_from(seen).where(*conditions))
        query = (
            sa.select(seen.c.id, seen.c.document)
            .where(*conditions)
            .order_by(*order)
            .offset(search.offset)
            .limit(search.count)
        )
        rows = await self._conn.execute(query)
        return total or 0, [Found(row.id, row.document) for row in rows]

    async def versions(
        self, plan_id: str, *, published_only: bool, before: int | None, limit: int
    ) -> Sequence[PlanVersion]:
        query = (
            plan_versions.select()
            .where(plan_versions.c.plan_id == plan_id)
            .order_by(plan_versions.c.version.desc())
            .limit(limit)
        )
        if published_only:
            query = query.where(plan_versions.c.change == Change.PUBLISHED)
        if before is not None:
            query = query.where(plan_versions.c.version < before)
        return [_version(row) for row in await self._conn.execute(query)]

    async def version(self, plan_id: str, version: int) -> PlanVersion | None:
        query = plan_versions.select().where(
            plan_versions.c.plan_id == plan_id, plan_versions.c.version == version
        )
        row = (await self._conn.execute(query)).one_or_none()
        return _version(row) if row else None


def _sees_all(who: Principal) -> sa.ColumnElement[bool]:
    return sa.true() if who.has(Scope.OPERATOR) else owned(who)


def _plan(row: Any) -> Plan:
    published = withdrawal = None
    if row.published_version is not None:
        published = Edition(row.edition, row.published_version, row.published_at, row.published_document)
    if row.withdrawn_at is not None:
        withdrawal = Withdrawal(row.withdrawn_at, row.withdrawn_reason)
    return Plan(
        id=row.id,
        version=row.version,
        edition=row.edition,
        state=PlanState(row.state),
        owner=Actor(iss=row.owner_iss, sub=row.owner_sub),
        document=row.document,
        created=row.created,
        modified=row.modified,
        published=published,
        withdrawal=withdrawal,
    )


def _version(row: Any) -> PlanVersion:
    return PlanVersion(
        version=row.version,
        edition=row.edition,
        state=PlanState(row.state),
        change=Change(row.change),
        changed_at=row.changed_at,
        document=row.document,
    )
