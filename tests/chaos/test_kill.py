"""kill -9 of the whole suite at points nobody chose: the flow finishes, nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from indigo_suite.researcher import Plan, Refused, Researcher
from indigo_testing.deployments import Standalone, free_block, standalone
from indigo_testing.story import FOLDERS, PATIENCE, LifeCycleStory, new_plan, reserved, settled

T = TypeVar("T")

EXAMPLE = Path(__file__).parents[2] / "examples" / "penguins"
KILLS = 4
SECONDS = (0.02, 0.6)
"""From a start to the next kill. The whole flow takes some two seconds, so that most kills hit it."""

pytestmark = pytest.mark.slow


class Killer:
    """Kills the suite after a random time and starts it again, ``KILLS`` times."""

    def __init__(self, suite: Standalone, seed: int) -> None:
        self._suite = suite
        self._random = random.Random(seed)
        self.count = 0

    async def run(self) -> None:
        while self.count < KILLS:
            await asyncio.sleep(self._random.uniform(*SECONDS))
            await asyncio.to_thread(self._suite.kill)
            self.count += 1
            await asyncio.to_thread(self._suite.start)


async def persist(step: Callable[[], Awaitable[T]]) -> T:
    """What a client does whose request got no answer: ask again until it gets one."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await step()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def send(researcher: Researcher, method: str, url: str, done: str, **options: Any) -> None:
    """Send a request until it is answered. The conflict ``done`` says that an earlier try, whose answer was
    lost, had its effect."""

    async def step() -> None:
        try:
            await researcher.call(method, url, **options)
        except Refused as refusal:
            if "answered 409" not in str(refusal) or done not in str(refusal):
                raise

    await persist(step)


def files_below(folder: Path) -> list[Path]:
    return sorted(each for each in folder.rglob("*") if each.is_file())


async def deposit(researcher: Researcher, record_id: str, folder: Path) -> None:
    """Deposit with a crash possible at every step."""
    draft = f"{researcher.at.repository}/api/records/{record_id}/draft"
    for path in await asyncio.to_thread(files_below, folder):
        key = path.relative_to(folder).as_posix()
        await send(researcher, "POST", f"{draft}/files", "already", json=[{"key": key}])
        content = f"{draft}/files/{key}/content"
        await persist(partial(researcher.call, "PUT", content, content=path.read_bytes()))
        await persist(partial(researcher.call, "POST", f"{draft}/files/{key}/commit"))
    await send(researcher, "POST", f"{draft}/actions/publish", "published already")


async def test_the_flow_survives_kills_at_random_points(tmp_path: Path) -> None:
    seed = int(os.environ.get("INDIGO_TEST_SEED", random.randrange(2**32)))
    print(f"INDIGO_TEST_SEED={seed}")
    with standalone(tmp_path / "suite", free_block()) as suite:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            researcher = Researcher(http, suite.endpoints, suite.token())
            document = new_plan(EXAMPLE, tmp_path)
            plan = await researcher.write_plan(document)

            async def publish() -> Plan:
                try:
                    return await researcher.publish_plan(plan)
                except Refused as refusal:
                    if "answered 412" not in str(refusal):
                        raise
                    return plan  # an earlier try, whose answer was lost, did it

            killer = Killer(suite, seed)
            killing = asyncio.create_task(killer.run())
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
