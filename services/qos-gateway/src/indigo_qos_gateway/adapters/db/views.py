"""What is known of one object for showing it: one statement without a transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from asyncpg import Record
from indigo_kernel.db.reader import Reader

from indigo_qos_gateway.adapters.db.objects import stored_object
from indigo_qos_gateway.adapters.db.transfers import transfer_of
from indigo_qos_gateway.application.row_ports import Seen
from indigo_qos_gateway.domain.paths import ROOT, parent

# The lineages of all paths travel in one array, each with the number of its path.
_FIND = (
    "SELECT o.*,"
    " (SELECT object_id FROM objects WHERE path = asked.parent) AS parent_id,"
    " (SELECT target_class FROM unnest(CAST($3 AS int[]), CAST($4 AS text[])) AS above (number, path)"
    "  JOIN transitions t ON t.path = above.path AND t.state IN ('SUBMITTED', 'STARTED')"
    "  WHERE above.number = asked.number ORDER BY length(t.path) DESC LIMIT 1) AS moving_to,"
    " (SELECT array_agg(substr(path, length(parent) + CASE parent WHEN '/' THEN 1 ELSE 2 END)"
    "  || CASE kind WHEN 'reference' THEN '?' ELSE '' END) FROM nodes WHERE parent = asked.path) AS nodes,"
    " EXISTS (SELECT FROM arrivals WHERE path = asked.path) AS coming,"
    " (SELECT to_json(t) FROM transfers t WHERE t.path = asked.path AND t.stage <> 'copied') AS transfer"
    " FROM unnest(CAST($1 AS text[]), CAST($2 AS text[]))"
    " WITH ORDINALITY AS asked (path, parent, number)"
    " JOIN objects o ON o.path = asked.path"
)


class SqlViews:
    """Implements ``application.row_ports.Views`` with one statement."""

    def __init__(self, reader: Reader, lineage: Callable[[str], Sequence[str]]) -> None:
        """``lineage`` tells the paths at which a transition covers a path."""
        self._reader = reader
        self._lineage = lineage

    async def find(self, paths: Sequence[str]) -> list[Seen | None]:
        distinct = list(dict.fromkeys(paths))
        above = [(number, each) for number, path in enumerate(distinct, 1) for each in self._lineage(path)]
        rows = await self._reader.fetch(
            _FIND,
            distinct,
            [parent(path) for path in distinct],
            [number for number, _ in above],
            [each for _, each in above],
        )
        found = {row["path"]: row for row in rows}
        return [_seen(path, found.get(path)) for path in paths]


def _seen(path: str, row: Record | None) -> Seen | None:
    if row is None or (row["parent_id"] is None and path != ROOT):
        return None
    above = None if path == ROOT else row["parent_id"]
    transfer = transfer_of(row["transfer"]) if row["transfer"] else None
    stored = stored_object(dict(row))
    if row["coming"]:
        stored = replace(stored, sha256=None)  # nobody knows of which bytes it is
    return Seen(stored, above, row["moving_to"], row["nodes"] or (), transfer)
