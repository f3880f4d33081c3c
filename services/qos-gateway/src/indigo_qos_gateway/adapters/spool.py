"""Bytes on their way to a remote storage: kept in a file until they are whole and have the right checksum."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from indigo_qos_gateway.adapters.posix.files import check_expected
from indigo_qos_gateway.adapters.posix.tape import CHUNK, write_all
from indigo_qos_gateway.adapters.threads import settled
from indigo_qos_gateway.domain.storage import Content


@dataclass(frozen=True, slots=True)
class Spool:
    """A whole file. It is gone after the block it was made for."""

    path: Path
    fd: int
    content: Content

    async def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to ``stop``."""
        end = self.content.size if stop is None else min(stop, self.content.size)
        while start < end and (chunk := await settled(os.pread, self.fd, min(CHUNK, end - start), start)):
            start += len(chunk)
            yield chunk


@asynccontextmanager
async def spooled(path: str, source: AsyncIterable[bytes], expected: Content | None) -> AsyncIterator[Spool]:
    """Receive the bytes for ``path`` into a temporary file. Raises ``ChecksumMismatch`` for unexpected ones."""
    fd, name = await asyncio.to_thread(tempfile.mkstemp, prefix="indigo-qos-")
    try:
        digest, size = hashlib.sha256(), 0
        async for chunk in source:
            await settled(write_all, fd, chunk)
            digest.update(chunk)
            size += len(chunk)
        content = Content(size, digest.hexdigest())
        check_expected(path, content, expected)
        yield Spool(Path(name), fd, content)
    finally:
        os.close(fd)
        await asyncio.to_thread(os.unlink, name)
