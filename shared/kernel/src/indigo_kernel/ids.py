"""Identifiers that sort by time: UUID version 7 (RFC 9562, section 5.7)."""

from __future__ import annotations

import os
import time
import uuid
from collections import deque

_RANDOM_BITS = ~(0xF << 76 | 0x3 << 62) & (1 << 80) - 1
"""The 74 of the last 80 bits that are neither version nor variant."""

_AT_ONCE = 256
"""Random numbers taken from the system together: asking it for each lets other threads run in between."""

_fresh: deque[int] = deque()
os.register_at_fork(after_in_child=_fresh.clear)


def uuid7() -> uuid.UUID:
    """A new UUIDv7: 48 bits of Unix milliseconds, 74 random bits."""
    return uuid.UUID(new_id())


def new_id() -> str:
    """A new UUIDv7 in its text form, written directly: every request and every event takes one."""
    random = _random()
    ms = time.time_ns() // 1_000_000 & 0xFFFF_FFFF_FFFF
    head, tail = f"{ms:012x}", f"{0x7 << 76 | 0x2 << 62 | random & _RANDOM_BITS:020x}"
    return f"{head[:8]}-{head[8:]}-{tail[:4]}-{tail[4:8]}-{tail[8:]}"


def _random() -> int:
    """80 random bits nobody had yet, in this process or one that forked from it."""
    while True:
        try:
            return _fresh.pop()
        except IndexError:
            data = os.urandom(10 * _AT_ONCE)
            _fresh.extend(int.from_bytes(data[at : at + 10], "big") for at in range(0, len(data), 10))
