"""References and queues, and the values of queues, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from indigo_kernel.problems import BadRequest
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_qos_gateway.adapters.db.objects import among, at_or_below
from indigo_qos_gateway.adapters.db.tables import nodes, queue_values
from indigo_qos_gateway.application.node_ports import Like
from indigo_qos_gateway.domain.node import Node, NodeKind, Value, Which
from indigo_qos_gateway.domain.notification import listens
from indigo_qos_gateway.domain.paths import Places, lineage, parent

_OVER = sa.select(nodes).where(nodes.c.path == sa.any_(sa.bindparam("above", type_=sa.ARRAY(sa.Text)))).limit(1)


_COPY_VALUES = sa.text(
    "INSERT INTO queue_values (queue_id, number, mimetype, encoding, data)"
    " SELECT copied.new, number, mimetype, encoding, data"
    " FROM unnest(CAST(:old AS text[]), CAST(:new AS text[])) AS copied (old, new)"
    " JOIN queue_values ON queue_id = copied.old"
)


class SqlNodes:
    """Implements ``application.node_ports.Nodes``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def find(self, path: str, *, for_update: bool = False) -> Node | None:
        return await self._one(nodes.c.path == path, for_update=for_update)

    async def by_id(self, object_id: str) -> Node | None:
        return await self._one(nodes.c.object_id == object_id.upper())

    async def over(self, path: str) -> Node | None:
        row = (await self._conn.execute(_OVER, {"above": list(lineage(path))})).one_or_none()
        return None if row is None else _node(row)

    async def inside(self, container: str) -> Sequence[Node]:
        rows = await self._conn.execute(sa.select(nodes).where(nodes.c.parent == container))
        return [_node(row) for row in rows]

    async def add(self, new: Node) -> bool:
        statement = insert(nodes).values(_values(new)).on_conflict_do_nothing(index_elements=[nodes.c.path])
        return (await self._conn.execute(statement.returning(nodes.c.path))).first() is not None

    async def save(self, changed: Node) -> None:
        values = {
            "metadata": dict(changed.metadata),
            "domain": changed.domain,
            "listens": listens(changed.metadata),
            "shown": changed.shown and changed.shown.written,
        }
        await self._conn.execute(sa.update(nodes).where(nodes.c.object_id == changed.object_id).values(values))

    async def set_status(self, object_id: str, status: str) -> None:
        await self._conn.execute(sa.update(nodes).where(nodes.c.object_id == object_id).values(status=status))

    async def rename(self, source: str, path: str) -> None:
        tail = sa.func.substr(nodes.c.path, len(source) + 1)
        above = sa.func.substr(nodes.c.parent, len(source) + 1)
        inner = sa.case((nodes.c.path == source, parent(path)), else_=sa.literal(path) + above)
        await self._conn.execute(
            sa.update(nodes).where(at_or_below(nodes.c.path, source))
            .values(path=sa.literal(path) + tail, parent=inner)
        )  # fmt: skip

    async def copy(self, source: str, path: str, new_id: Callable[[], str], like: Like) -> Sequence[Node]:
        locked = sa.select(nodes).where(at_or_below(nodes.c.path, source)).order_by(nodes.c.object_id)
        rows = (await self._conn.execute(locked.with_for_update())).all()
        if not rows:
            return []
        same = {"domain": like.domain, "shown": like.shown and like.shown.written, "created_at": like.created_at}
        copies = [
            {
                **row._asdict(),
                **same,
                "object_id": new_id(),
                "path": path + row.path.removeprefix(source),
                "parent": path + row.parent.removeprefix(source),
            }
            for row in rows
        ]
        made = [_node(row) for row in await self._conn.execute(sa.insert(nodes).returning(nodes), copies)]
        pairs = {"old": [row.object_id for row in rows], "new": [each["object_id"] for each in copies]}
        await self._conn.execute(_COPY_VALUES, pairs)
        return made

    async def forget(self, path: str) -> None:
        await self._conn.execute(sa.delete(nodes).where(at_or_below(nodes.c.path, path)))

    async def anyone_listens(self) -> bool:
        return bool((await self._conn.execute(sa.select(sa.exists().where(nodes.c.listens)))).scalar_one())

    async def listening(self) -> Sequence[Node]:
        rows = await self._conn.execute(sa.select(nodes).where(nodes.c.listens).order_by(nodes.c.object_id))
        return [_node(row) for row in rows]

    async def progress(self, object_id: str) -> str | None:
        found: str | None = (
            await self._conn.execute(sa.select(nodes.c.progress).where(nodes.c.object_id == object_id))
        ).scalar_one_or_none()
        return found

    async def advance(self, object_id: str, path: str | None) -> None:
        await self._conn.execute(sa.update(nodes).where(nodes.c.object_id == object_id).values(progress=path))

    async def _one(self, condition: sa.ColumnElement[bool], *, for_update: bool = False) -> Node | None:
        statement = sa.select(nodes).where(condition)
        if for_update:
            statement = statement.with_for_update()
        row = (await self._conn.execute(statement)).one_or_none()
        return None if row is None else _node(row)


class SqlQueues:
    """Implements ``application.node_ports.Queues``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def hold(self, object_ids: Sequence[str]) -> None:
        # In the order in which notifications hold theirs.
        held = sa.select(nodes.c.last).where(among(nodes.c.object_id, object_ids)).order_by(nodes.c.object_id)
        await self._conn.execute(held.with_for_update())

    async def extent(self, object_id: str) -> tuple[int, int] | None:
        number = queue_values.c.number
        row = (
            await self._conn.execute(
                sa.select(sa.func.min(number).label("first"), sa.func.max(number).label("last"))
                .where(queue_values.c.queue_id == object_id)
            )
        ).one()  # fmt: skip
        return None if row.first is None else (row.first, row.last)

    async def push(self, object_id: str, values: Sequence[Value], *, most: int, most_bytes: int) -> bool:
        locked = sa.select(nodes.c.last, nodes.c.bytes).where(nodes.c.object_id == object_id).with_for_update()
        row = (await self._conn.execute(locked)).one_or_none()
        if row is None:
            return False
        extent = await self.extent(object_id)
        held = extent[1] - extent[0] + 1 if extent else 0
        size = row.bytes + sum(len(value.data) for value in values)
        if held + len(values) > most or size > most_bytes:
            return False
        if values:
            await self._conn.execute(
                sa.insert(queue_values),
                [
                    {
                        "queue_id": object_id,
                        "number": number,
                        "mimetype": value.mimetype,
                        "encoding": value.encoding,
                        "data": value.data,
                    }
                    for number, value in enumerate(values, row.last + 1)
                ],
            )
            await self._conn.execute(
                sa.update(nodes).where(nodes.c.object_id == object_id)
                .values(last=row.last + len(values), bytes=size)
            )  # fmt: skip
        return True

    async def peek(self, object_id: str, which: Which, *, most_bytes: int) -> Sequence[Value]:
        chosen = _chosen(object_id, which)
        length = sa.func.length(queue_values.c.data)
        size = (await self._conn.execute(sa.select(sa.func.sum(length)).where(chosen))).scalar_one()
        if size is not None and size > most_bytes:
            raise BadRequest(f"These values have {size} bytes together; at most {most_bytes} are read at once")
        rows = await self._conn.execute(sa.select(queue_values).where(chosen).order_by(queue_values.c.number))
        return [Value(row.mimetype, row.encoding, row.data) for row in rows]

    async def drop(self, object_id: str, which: Which) -> int:
        await self._conn.execute(sa.select(nodes.c.last).where(nodes.c.object_id == object_id).with_for_update())
        gone = await self._conn.execute(
            sa.delete(queue_values).where(_chosen(object_id, which))
            .returning(sa.func.length(queue_values.c.data))
        )  # fmt: skip
        sizes = gone.scalars().all()
        await self._conn.execute(
            sa.update(nodes).where(nodes.c.object_id == object_id).values(bytes=nodes.c.bytes - sum(sizes))
        )
        return len(sizes)

    async def lose(self, object_id: str, count: int) -> None:
        await self._conn.execute(
            sa.update(nodes).where(nodes.c.object_id == object_id).values(lost=nodes.c.lost + count)
        )


def _chosen(object_id: str, which: Which) -> sa.ColumnElement[bool]:
    mine = queue_values.c.queue_id == object_id
    if which.span is not None:
        return sa.and_(mine, queue_values.c.number.between(which.span.first, which.span.last))
    if which.count is None:
        return mine
    oldest = sa.select(queue_values.c.number).where(mine).order_by(queue_values.c.number).limit(which.count)
    return sa.and_(mine, queue_values.c.number.in_(oldest.scalar_subquery()))


def _values(node: Node) -> dict[str, Any]:
    return {
        "object_id": node.object_id,
        "path": node.path,
        "parent": parent(node.path),
        "kind": node.kind.value,
        "domain": node.domain,
        "metadata": dict(node.metadata),
        "target": node.target,
        "status": node.status,
        "listens": listens(node.metadata),
        "shown": node.shown and node.shown.written,
        "created_at": node.created_at,
    }


def _node(row: sa.Row[Any]) -> Node:
    return Node(
        object_id=row.object_id,
        path=row.path,
        kind=NodeKind(row.kind),
        domain=row.domain,
        created_at=row.created_at,
        metadata=row.metadata,
        target=row.target,
        status=row.status,
        last=row.last,
        lost=row.lost,
        shown=Places.read(row.shown),
    )
