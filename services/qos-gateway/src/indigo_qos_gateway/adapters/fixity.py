"""Checksums of what a storage holds, by reading it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable

from indigo_qos_gateway.domain.errors import StorageDamage


async def sha256_of(chunks: AsyncIterable[bytes]) -> str:
    """The SHA-256 of bytes as they come, in hexadecimal."""
    digest = hashlib.sha256()
    async for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


async def compared(path: str, chunks: AsyncIterable[bytes], stored: str | None) -> str:
    """The SHA-256 of the bytes at ``path``. Raises ``StorageDamage`` when another one is on record."""
    sha256 = await sha256_of(chunks)
    if stored not in {None, sha256}:
        raise StorageDamage(f"{path} has SHA-256 {sha256}, {stored} was written")
    return sha256
