"""The unit of work of this service."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from indigo_kernel.db.uow import Database, UnitOfWork

from indigo_pid.adapters.db.dois import SqlDois
from indigo_pid.adapters.db.identifiers import SqlIdentifiers
from indigo_pid.application.name_index import NameIndex

_LOCK = sa.text("SELECT pg_advisory_xact_lock(:key)")


class PidWork(UnitOfWork):
    """Implements ``application.ports.Work``."""

    identifiers: SqlIdentifiers
    dois: SqlDois

    def __init__(self, database: Database, index: NameIndex) -> None:
        """``index`` knows every change as soon as it is committed."""
        super().__init__(database)
        self._index = index

    async def open(self) -> None:
        self.identifiers = SqlIdentifiers(
            self.conn, lambda rows: self.after_commit(lambda: self._index.note(rows))
        )
        self.dois = SqlDois(self.conn)

    async def alone(self, key: str) -> None:
        number = hashlib.sha256(f"pid {key}".encode()).digest()[:8]
        await self.conn.execute(_LOCK, {"key": int.from_bytes(number, "big", signed=True)})
