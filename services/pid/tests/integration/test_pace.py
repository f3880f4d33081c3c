"""The rate toward a registrar holds for all processes that ask it."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from indigo_kernel.db.engine import create_engine
from indigo_pid.adapters.db.pace import SharedPace

EACH = 1000.0
"""Seconds a token takes: whatever a test takes is nothing next to it."""


@pytest.fixture
async def engines(databases):
    """Two processes, as far as the database can tell."""
    url = await databases.empty("pid")
    made = [create_engine(url, application=name) for name in ("one", "other")]
    yield made
    for engine in made:
        await engine.dispose()


async def test_a_burst_then_the_rate_for_both_together(engines):
    one, other = (SharedPace(engine, "datacite", 1 / EACH, 3) for engine in engines)
    waits = await asyncio.gather(*(pace.take() for pace in (one, other) * 5))
    assert sorted(round(wait / EACH) for wait in waits) == [0, 0, 0, 1, 2, 3, 4, 5, 6, 7]


async def test_each_registrar_has_its_own(engines):
    first = [SharedPace(engine, "datacite", 1 / EACH, 1) for engine in engines]
    second = SharedPace(engines[0], "crossref", 1 / EACH, 1)
    assert [round(await pace.take() / EACH) for pace in (*first, second)] == [0, 1, 0]


async def test_a_bucket_fills_while_nobody_asks_and_not_beyond_its_brim(engines):
    pace = SharedPace(engines[0], "datacite", 1 / EACH, 2)
    for _ in range(4):
        await pace.take()
    async with engines[0].begin() as conn:
        passed = sa.text("UPDATE registrar_paces SET full_at = full_at - make_interval(secs => :seconds)")
        await conn.execute(passed, {"seconds": 100 * EACH})
    assert [round(await pace.take() / EACH) for _ in range(4)] == [0, 0, 1, 2]


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_what_is_no_bucket(engines, rate, burst):
    with pytest.raises(ValueError, match="bucket"):
        SharedPace(engines[0], "datacite", rate, burst)
