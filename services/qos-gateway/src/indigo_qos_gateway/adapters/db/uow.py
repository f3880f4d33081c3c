"""The unit of work of this service."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from indigo_kernel.db.uow import UnitOfWork

from indigo_qos_gateway.adapters.db.arrivals import SqlArrivals
from indigo_qos_gateway.adapters.db.batches import SqlBatches
from indigo_qos_gateway.adapters.db.domains import SqlDomains
from indigo_qos_gateway.adapters.db.nodes import SqlNodes, SqlQueues
from indigo_qos_gateway.adapters.db.objects import SqlObjects
from indigo_qos_gateway.adapters.db.places import SqlPlaces
from indigo_qos_gateway.adapters.db.promises import SqlPlans, SqlRecords
from indigo_qos_gateway.adapters.db.timers import SqlTimers
from indigo_qos_gateway.adapters.db.transfers import SqlTransfers
from indigo_qos_gateway.adapters.db.transitions import SqlTransitions

_LOCK = sa.text("SELECT pg_advisory_xact_lock(:key)")
_SHARE = sa.text("SELECT pg_advisory_xact_lock_shared(key) FROM unnest(CAST(:keys AS bigint[])) AS key")


class GatewayWork(UnitOfWork):
    """Implements ``application.ports.Work``."""

    objects: SqlObjects
    arrivals: SqlArrivals
    transitions: SqlTransitions
    places: SqlPlaces
    transfers: SqlTransfers
    batches: SqlBatches
    timers: SqlTimers
    plans: SqlPlans
    records: SqlRecords
    nodes: SqlNodes
    queues: SqlQueues
    domains: SqlDomains

    async def open(self) -> None:
        self.objects = SqlObjects(self.conn)
        self.arrivals = SqlArrivals(self.conn)
        self.transitions = SqlTransitions(self.conn)
        self.places = SqlPlaces(self.conn)
        self.transfers = SqlTransfers(self.conn)
        self.batches = SqlBatches(self.conn)
        self.timers = SqlTimers(self.conn)
        self.plans = SqlPlans(self.conn)
        self.records = SqlRecords(self.conn)
        self.nodes = SqlNodes(self.conn)
        self.queues = SqlQueues(self.conn)
        self.domains = SqlDomains(self.conn)

    async def alone(self, key: str) -> None:
        await self.conn.execute(_LOCK, {"key": _number(key)})

    async def beside(self, *keys: str) -> None:
        await self.conn.execute(_SHARE, {"keys": [_number(key) for key in keys]})


def _number(key: str) -> int:
    return int.from_bytes(hashlib.sha256(f"qos {key}".encode()).digest()[:8], "big", signed=True)
