"""Work in threads: whoever asked for it does not close what it uses before it has ended."""

import asyncio
import gc
import threading

import anyio
import pytest
from indigo_qos_gateway.adapters.threads import settled


@pytest.mark.parametrize("fails", [False, True])
async def test_a_thread_is_waited_for_however_often_its_request_is_cancelled(fails):
    order, began, go_on, complaints = [], threading.Event(), threading.Event(), []

    def work():
        began.set()
        assert go_on.wait(20)
        order.append("worked")
        if fails:
            raise OSError("nobody hears this")

    async def request():
        try:
            await settled(work)
        finally:
            order.append("closed")

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(request)
            await asyncio.to_thread(began.wait, 20)
            group.cancel_scope.cancel()  # as for a client that has gone: at every turn of the loop
            loop.call_later(0.1, go_on.set)
        assert order == ["worked", "closed"]
        gc.collect()
        assert complaints == []
    finally:
        loop.set_exception_handler(None)


async def test_a_request_that_is_cancelled_twice_waits_too():
    order, began, go_on = [], threading.Event(), threading.Event()

    def work():
        began.set()
        assert go_on.wait(20)
        order.append("worked")

    async def request():
        try:
            await settled(work)
        finally:
            order.append("closed")

    task = asyncio.create_task(request())
    await asyncio.to_thread(began.wait, 20)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.01)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert order == ["worked", "closed"]
