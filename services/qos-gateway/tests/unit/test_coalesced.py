"""Questions that come while another one is answered are asked together, and no hanging one holds up the others."""

import asyncio

import pytest
from indigo_qos_gateway.application.coalesced import Coalesced


class Answers:
    """Answers when it is told to; `asked` has the questions."""

    def __init__(self):
        self.asked = []
        self.came = asyncio.Event()
        self.doors = []

    async def ask(self, keys):
        door = asyncio.Event()
        self.asked.append(list(keys))
        self.doors.append(door)
        self.came.set()
        await door.wait()
        return [ValueError(key) if key == "wrong" else f"{key} of {len(self.asked)}" for key in keys]

    async def questions(self, count):
        while len(self.asked) < count:
            self.came.clear()
            await self.came.wait()


async def test_what_comes_meanwhile_is_asked_together_afterwards():
    answers = Answers()
    coalesced = Coalesced(answers.ask)
    first = asyncio.create_task(coalesced.get("a"))
    await answers.questions(1)
    others = [asyncio.create_task(coalesced.get(key)) for key in ("a", "b", "wrong", "wrong")]
    await asyncio.sleep(0)
    answers.doors[0].set()
    assert await first == "a of 1"
    await answers.questions(2)
    assert answers.asked == [["a"], ["a", "b", "wrong", "wrong"]]
    answers.doors[1].set()
    found = await asyncio.gather(*others, return_exceptions=True)
    assert found[:2] == ["a of 2", "b of 2"]  # the first question was older than these
    assert [str(each) for each in found[2:]] == ["wrong", "wrong"]
    assert found[2] is not found[3]


async def test_those_who_come_at_the_same_time_are_asked_together():
    answers = Answers()
    coalesced = Coalesced(answers.ask)
    asking = [asyncio.create_task(coalesced.get(key)) for key in ("a", "b", "c")]
    await answers.questions(1)
    answers.doors[0].set()
    assert await asyncio.gather(*asking) == ["a of 1", "b of 1", "c of 1"]


async def test_those_who_were_answered_join_those_who_wait():
    answers = Answers()
    coalesced = Coalesced(answers.ask)

    async def twice(key):
        return [await coalesced.get(key), await coalesced.get(key)]

    first = asyncio.create_task(twice("a"))
    await answers.questions(1)
    waits = asyncio.create_task(coalesced.get("b"))
    await asyncio.sleep(0)
    answers.doors[0].set()
    await answers.questions(2)
    assert sorted(answers.asked[1]) == ["a", "b"]
    answers.doors[1].set()
    assert await asyncio.gather(first, waits) == [["a of 1", "a of 2"], "b of 2"]


async def test_no_question_is_too_large_and_none_is_forgotten():
    answers = Answers()
    coalesced = Coalesced(answers.ask)
    asking = [asyncio.create_task(coalesced.get(number)) for number in range(100)]
    await answers.questions(2)  # although the first of them hangs, and nobody comes any more
    assert [len(each) for each in answers.asked] == [64, 36]
    for door in answers.doors:
        door.set()
    await asyncio.gather(*asking)


async def test_a_question_that_hangs_is_overtaken():
    answers = Answers()
    coalesced = Coalesced(answers.ask)
    hanging = asyncio.create_task(coalesced.get("hangs"))
    await answers.questions(1)
    others = [asyncio.create_task(coalesced.get(key)) for key in ("a", "b")]
    await answers.questions(2)
    answers.doors[1].set()
    assert await asyncio.gather(*others) == ["a of 2", "b of 2"]
    assert not hanging.done()
    answers.doors[0].set()
    assert await hanging


async def test_who_gave_up_holds_up_nobody():
    answers = Answers()
    coalesced = Coalesced(answers.ask)
    gone = asyncio.create_task(coalesced.get("a"))
    await answers.questions(1)
    stays = asyncio.create_task(coalesced.get("b"))
    await asyncio.sleep(0)
    gone.cancel()
    answers.doors[0].set()
    await answers.questions(2)
    answers.doors[1].set()
    assert await stays == "b of 2"


async def test_a_failure_of_the_question_is_everybodys():
    async def ask(keys):
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        await Coalesced(ask).get("a")
