from __future__ import annotations

import asyncio

import pytest
from indigo_pid.adapters.db.index_feed import PostgresFeedConnection


@pytest.mark.parametrize("turns", range(5))
async def test_waiting_for_news_ends_when_it_is_canceled_as_they_come(turns):
    """Whatever turn of the loop the cancellation hits, the waiting task is canceled and does not go on."""
    connection = PostgresFeedConnection(driver=None)
    went_on = 0

    async def follow() -> None:
        nonlocal went_on
        while True:
            await connection.changed(3600)
            connection._news.clear()
            went_on += 1

    task = asyncio.create_task(follow())
    for _ in range(5):  # until it waits
        await asyncio.sleep(0)
    connection.notified()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done
    assert task.cancelled()
    assert went_on <= 1


async def test_news_and_the_end_of_the_wait_are_told_alike():
    connection = PostgresFeedConnection(driver=None)
    await connection.changed(0)
    connection.notified()
    await asyncio.wait_for(connection.changed(3600), 5)
