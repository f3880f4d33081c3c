"""One token bucket for all processes that ask the same registrar: a row in PostgreSQL, by PostgreSQL's clock."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from indigo_kernel.db.engine import reading
from sqlalchemy.ext.asyncio import AsyncEngine

# A bucket is known by the moment it will be full again: each token taken puts that off.
_TAKE = sa.text(
    "INSERT INTO registrar_paces AS pace (registrar, full_at)"
    " VALUES (:registrar, clock_timestamp() + make_interval(secs => :seconds))"
    " ON CONFLICT (registrar) DO UPDATE"
    " SET full_at = greatest(pace.full_at, clock_timestamp()) + make_interval(secs => :seconds)"
    " RETURNING CAST(extract(epoch FROM full_at - clock_timestamp()) AS double precision)"
)


class SharedPace:
    """Implements ``application.ports.Pace``: ``rate`` tokens a second drop into the bucket, ``burst`` fit."""

    def __init__(self, engine: AsyncEngine, registrar: str, rate: float, burst: int) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError("A bucket needs a rate and room for a token")
        self._engine = reading(engine)  # one statement, and no transaction that would hold the row
        self._registrar = registrar
        self._rate = rate
        self._burst = burst

    @property
    def interval(self) -> timedelta:
        return timedelta(seconds=1 / self._rate)

    async def take(self) -> float:
        parameters = {"registrar": self._registrar, "seconds": 1 / self._rate}
        async with self._engine.connect() as conn:
            until_full: float = (await conn.execute(_TAKE, parameters)).scalar_one()
        return max(0.0, until_full - self._burst / self._rate)
