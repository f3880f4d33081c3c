"""The unit of work of this service."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from indigo_kernel.db.uow import UnitOfWork

from indigo_pid.adapters.db.dois import SqlDois
from indigo_pid.adapters.db.identifiers import SqlIdentifiers

_LOCK = sa.text("SELECT pg_advisory_xact_lock(:key)")


class PidWork(UnitOfWork):
    """Implements ``application.ports.Work``."""

    identifiers: SqlIdentifiers
    dois: SqlDois

    async def open(self) -> None:
        self.identifiers = SqlIdentifiers(self.conn)
        self.dois = SqlDois(self.conn)

    async def alone(self, key: str) -> None:
        number = hashlib.sha256(f"pid {key}".encode()).digest()[:8]
        await self.conn.execute(_LOCK, {"key": int.from_bytes(number, "big", signed=True)})
