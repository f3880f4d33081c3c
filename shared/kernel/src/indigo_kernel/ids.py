"""Identifiers that sort by time: UUID version 7 (RFC 9562, section 5.7)."""

from __future__ import annotations

import os
import time
import uuid

_RANDOM_BITS = ~(0xF << 76 | 0x3 << 62) & (1 << 80) - 1
"""The 74 of the last 80 bits that are neither version nor variant."""


def uuid7() -> uuid.UUID:
    """A new UUIDv7: 48 bits of Unix milliseconds, 74 random bits."""
    return uuid.UUID(new_id())


def new_id() -> str:
    """A new UUIDv7 in its text form, written directly: every request and every event takes one."""
    random = int.from_bytes(os.urandom(10), "big")
    ms = time.time_ns() // 1_000_000 & 0xFFFF_FFFF_FFFF
    head, tail = f"{ms:012x}", f"{0x7 << 76 | 0x2 << 62 | random & _RANDOM_BITS:020x}"
    return f"{head[:8]}-{head[8:]}-{tail[:4]}-{tail[4:8]}-{tail[8:]}"
