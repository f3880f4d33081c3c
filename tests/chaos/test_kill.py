"""kill -9 of the whole suite at points nobody chose: the flow finishes, nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import httpx
import pytest
from indigo_suite.researcher import Plan, Refused, Researcher
from indigo_testing.deployments import Standalone, free_block, standalone
from indigo_testing.story import FOLDERS, LifeCycleStory, new_plan, reserved, settled

EXAMPLE = Path(__file__).parents[2] / "examples" / "penguins"
KILLS = 6

pytestmark = pytest.mark.slow


class Killer:
    """Kills the suite after a random time and starts it again, ``KILLS`` times."""

    def __init__(self, suite: Standalone, seed: int) -> None:
        self._suite = suite
        self._random = random.Random(seed)
        self.count = 0

    async def run(self) -> None:
        while self.count < KILLS:
            await asyncio.sleep(self._random.uniform(0.05, 1.5))
            await asyncio.to_thread(self._suite.kill)
            self.count += 1
            await asyncio.to_thread(self._suite.start)


async def persist(step):
    """What a client does whose request got no answer: ask again until it gets one."""
    while True:
        try:
            return await step()
        except httpx.TransportError:
            await asyncio.sleep(0.2)


async def deposit(researcher: Researcher, record_id: str, folder: Path) -> None:
    """Deposit with a crash possible at every step; a step that turns out to be done already is done."""

    async def step() -> None:
        answer = await researcher.get(f"{researcher.at.repository}/api/records", q=record_id)
        assert answer is not None
        try:
            await researcher.deposit(record_id, folder)
        except Refused:
            published = await researcher.call("GET", f"{researcher.at.repository}/api/records/{record_id}")
            assert published.json()["state"] == "published"

    await persist(step)


async def test_the_flow_survives_kills_at_random_points(tmp_path: Path, free_port) -> None:
    seed = int(os.environ.get("INDIGO_TEST_SEED", random.randrange(2**32)))
    print(f"INDIGO_TEST_SEED={seed}")
    with standalone(tmp_path / "suite", free_block(free_port)) as suite:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            researcher = Researcher(http, suite.endpoints, suite.token())
            document = new_plan(EXAMPLE, tmp_path)
            plan = await researcher.write_plan(document)
            killer = Killer(suite, seed)
            killing = asyncio.create_task(killer.run())

            async def publish() -> Plan:
                try:
                    return await researcher.publish_plan(plan)
                except Refused as refusal:
                    assert "412" in str(refusal)  # an earlier try, whose answer was lost, did it
                    return plan

            await persist(publish)
            drafts = await persist(lambda: reserved(researcher, plan))
            for output, folder in FOLDERS.items():
                await deposit(researcher, drafts[output], EXAMPLE / folder)
            await killing
            assert killer.count == KILLS
            await settled(researcher, plan)
            story = LifeCycleStory()
            await story.identifiers_work(researcher, plan)
            await story.storage_has_the_bytes(researcher, drafts)
            await story.nothing_is_doubled(researcher, plan)
