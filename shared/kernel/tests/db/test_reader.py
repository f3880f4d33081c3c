"""A statement on a kept connection: fresh, shared by nobody, and not in the way when the connection dies."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy as sa
from indigo_kernel.db.engine import DatabaseAway, create_engine
from indigo_kernel.db.reader import Reader

PID = "SELECT pg_backend_pid() AS pid"


@pytest_asyncio.fixture
async def reader(database):
    reader = Reader(database.engine)
    yield reader
    await reader.close()
    assert database.engine.pool.checkedout() == 0


async def pid(reader: Reader) -> int:
    (row,) = await reader.fetch(PID)
    return row["pid"]


async def test_it_keeps_its_connection_and_sees_what_was_committed_since(reader, database):
    count = "SELECT count(*) AS count FROM effects WHERE name = $1"
    assert [dict(row) for row in await reader.fetch(count, "a")] == [{"count": 0}]
    async with database.engine.begin() as conn:
        await conn.execute(sa.text("INSERT INTO effects VALUES ('a')"))
    assert [dict(row) for row in await reader.fetch(count, "a")] == [{"count": 1}]
    assert await pid(reader) == await pid(reader)


async def test_statements_side_by_side_have_connections_of_their_own(reader, database):
    slow = [reader.fetch("SELECT pg_backend_pid() AS pid, pg_sleep(0.05)") for _ in range(3)]
    assert len({rows[0]["pid"] for rows in await asyncio.gather(*slow)}) == 3
    assert database.engine.pool.checkedout() == 1


async def test_a_connection_that_died_is_replaced(reader, database):
    dead = await pid(reader)
    async with database.engine.begin() as conn:
        await conn.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": dead})
    assert await pid(reader) not in {dead, 0}


async def test_a_wrong_statement_is_told_as_it_is(reader):
    with pytest.raises(asyncpg.UndefinedColumnError):
        await reader.fetch("SELECT nothing")
    assert await pid(reader)


async def test_who_is_cut_off_leaves_its_connection_to_nobody(reader):
    kept = await pid(reader)
    slow = asyncio.create_task(reader.fetch("SELECT pg_sleep(60)"))
    await asyncio.sleep(0.05)
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert await pid(reader) != kept


async def test_a_server_that_is_not_there_is_told():
    engine = create_engine("postgresql+asyncpg://nobody@127.0.0.1:9/none", application="test")
    with pytest.raises(DatabaseAway):
        await Reader(engine).fetch(PID)


async def test_one_that_goes_down_is_told(reader, database):
    await pid(reader)
    with pytest.raises(DatabaseAway):
        await reader.fetch("SELECT pg_terminate_backend(pg_backend_pid())")
    assert await pid(reader)
