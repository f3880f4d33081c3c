from __future__ import annotations

import asyncio

import asyncpg
import pytest
from indigo_pid.adapters.db.index_feed import PostgresFeedConnection
from indigo_pid.application.index_keeper import FeedLost


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


class Ended:
    """A driver whose connection has ended."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def fetchval(self, query: str, *, timeout: float) -> None:
        raise self._error

    async def copy_from_query(self, query: str, *, output, timeout: float) -> None:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        OSError("reset"),
        TimeoutError(),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
    ],
)
async def test_however_the_driver_tells_the_end_it_is_the_loss_of_the_feed(error):
    connection = PostgresFeedConnection(Ended(error))
    with pytest.raises(FeedLost):
        await connection.position()
    with pytest.raises(FeedLost):
        await connection.read(None, lambda row: None)


async def test_news_and_the_end_of_the_wait_are_told_alike():
    connection = PostgresFeedConnection(driver=None)
    await connection.changed(0)
    connection.notified()
    await asyncio.wait_for(connection.changed(3600), 5)
