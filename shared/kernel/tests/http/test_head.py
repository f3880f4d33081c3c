"""HEAD through the real server, which frames the answer by the method."""

from __future__ import annotations

import asyncio

import pytest
from indigo_kernel.http.server import listen, serving


@pytest.mark.parametrize("path", ["/version", "/nothing/there", "/stream"])
async def test_a_connection_serves_head_after_head(app, path):
    bound = listen("127.0.0.1", 0)
    async with serving(app, bound):
        reader, writer = await asyncio.open_connection(*bound.getsockname())
        try:
            for _ in range(2):
                writer.write(f"HEAD {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
                assert head.startswith(b"HTTP/1.1 "), head
                assert b"chunked" not in head
        finally:
            writer.close()
            await writer.wait_closed()
