"""Steps in groups: none is left behind, whenever it is begun."""

import asyncio

from indigo_qos_gateway.adapters.posix.drives import Drives


async def test_a_step_begun_the_moment_another_one_ended_is_carried_out():
    drives = Drives(1, lambda steps, report: None)
    async with asyncio.timeout(10):
        for number in range(20):
            await drives.start(f"/{number}", "TapeOnly").over
        await drives.close()
