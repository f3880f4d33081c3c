"""What is asked for one by one is carried in rounds, and nobody waits for one that is over."""

import asyncio
from pathlib import Path

import pytest
from indigo_qos_gateway.adapters.rounds import Rounds

A, B = Path("/a"), Path("/b")


async def test_whatever_a_round_raises_is_told_to_everyone_who_waits():
    async def carry(paths):
        raise OSError("no space left on device")

    rounds = Rounds(carry, 0.01)
    async with asyncio.timeout(10):
        told = await asyncio.gather(rounds.join(A), rounds.join(B), return_exceptions=True)
    assert [str(each) for each in told] == ["no space left on device"] * 2
    with pytest.raises(OSError, match="no space"):
        await rounds.join(A)


async def test_who_gives_up_before_the_round_began_takes_the_file_back():
    carried = []

    async def carry(paths):
        carried.append(list(paths))

    rounds = Rounds(carry, 0.05)
    gone = asyncio.create_task(rounds.join(A))
    stays = asyncio.create_task(rounds.join(B))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    assert carried == [[B]]
    alone = asyncio.create_task(rounds.join(A))
    await asyncio.sleep(0)
    alone.cancel()
    assert rounds._task is not None
    await rounds._task
    assert carried == [[B]]
