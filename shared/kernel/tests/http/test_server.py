from __future__ import annotations

import asyncio

import pytest
from indigo_kernel.http.server import listen, serving
from starlette.responses import PlainTextResponse

REQUEST = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"
AS_LONG_AS_CLIENTS_WAIT = 5.5
"""Seconds; httpx and uvicorn both close what has rested for 5 s by default, and meet each other at it."""


@pytest.fixture
async def connection():
    bound = listen("127.0.0.1", 0)
    async with serving(PlainTextResponse("Here"), bound):
        reader, writer = await asyncio.open_connection(*bound.getsockname())
        yield reader, writer
        writer.close()


async def test_a_connection_that_rested_takes_the_next_request(connection) -> None:
    reader, writer = connection
    for pause in (AS_LONG_AS_CLIENTS_WAIT, 0):
        writer.write(REQUEST)
        assert (await reader.readuntil(b"Here")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(pause)


async def test_a_connection_that_rests_does_not_hold_up_the_end() -> None:
    bound = listen("127.0.0.1", 0)
    async with asyncio.timeout(5):
        async with serving(PlainTextResponse("Here"), bound):
            reader, writer = await asyncio.open_connection(*bound.getsockname())
            writer.write(REQUEST)
            await reader.readuntil(b"Here")
        assert await reader.read() == b""
    writer.close()
