"""The output streams of a command: read to the end, kept in part."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Captured:
    """The last part of a stream, and how long it was in bytes: an error is told at the end."""

    kept: bytes
    total: int


async def capture(stream: asyncio.StreamReader, keep: int) -> Captured:
    """Read ``stream`` to its end and keep its last ``keep`` bytes; a writer is never blocked for long."""
    kept = b""
    total = 0
    while chunk := await stream.read(_CHUNK):
        total += len(chunk)
        kept = (kept + chunk)[-keep:]
    return Captured(kept, total)
