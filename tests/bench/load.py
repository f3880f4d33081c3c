"""What the benchmarks share: a server process, a load on it, and its CPU time per request.

Latency on a shared machine says more about the machine than about the code; the CPU time the server spends
per request is steadier, and ratios of two figures of one run are steadier still.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from indigo_dev.processes import free_port

HERE = Path(__file__).parent


@contextlib.contextmanager
def server(script: str, *arguments: str) -> Iterator[tuple[int, psutil.Process]]:
    """Run ``tests/bench/<script> PORT …`` until the block ends; yields its port when it listens."""
    port = free_port()
    command = [sys.executable, str(HERE / script), str(port), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{script} did not start")
            time.sleep(0.05)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


async def _connection(port: int, path: str, headers: str, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}\r\n".encode()
    try:
        for _ in range(count):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            length = int(
                next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))[15:]
            )
            await reader.readexactly(length)
    finally:
        writer.close()


def cpu_per_request(
    port: int, process: psutil.Process, path: str, *, headers: str = "", count: int = 4000, connections: int = 8
) -> float:
    """Microseconds of server CPU per GET of ``path``; the first tenth warms up and is not counted."""

    async def burst(number: int) -> None:
        await asyncio.gather(
            *(_connection(port, path, headers, number // connections) for _ in range(connections))
        )

    asyncio.run(burst(max(connections, count // 10)))
    before = sum(process.cpu_times()[:2])
    asyncio.run(burst(count))
    return (sum(process.cpu_times()[:2]) - before) / count * 1e6
