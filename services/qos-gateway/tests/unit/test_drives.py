"""Steps in groups: none is left behind, whenever it is begun."""

import asyncio
import threading

from indigo_qos_gateway.adapters.posix.drives import TOGETHER, Drives


async def test_a_step_begun_the_moment_another_one_ended_is_carried_out():
    drives = Drives(1, lambda steps, report: None)
    async with asyncio.timeout(10):
        for number in range(20):
            await drives.start(f"/{number}", "TapeOnly").over
        await drives.close()


async def test_a_drive_that_is_cancelled_ends_after_the_group_it_is_at():
    began, go_on, brought = threading.Event(), threading.Event(), []

    def bring(steps, report):
        began.set()
        assert go_on.wait(20)
        brought.append(len(steps))

    drives = Drives(1, bring)
    for number in range(TOGETHER + 1):
        drives.start(f"/{number}", "TapeOnly")
    await asyncio.to_thread(began.wait, 20)
    (drive,) = drives._tasks
    drive.cancel()
    go_on.set()
    await asyncio.wait([drive])
    assert brought == [TOGETHER]
    await drives.close()
