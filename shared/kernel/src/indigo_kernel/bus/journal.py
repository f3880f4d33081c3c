"""An append-only file of records that survives ``kill -9`` and a power cut.

One record a line: CRC-32 in hexadecimal, a space, a JSON object. Lines whose sum is wrong (the torn tail of
a crash) are skipped. Records that must be durable share one fsync per batch, in a thread of their own.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

COMPACT_BYTES = 4 * 1024 * 1024
"""The journal is rewritten when it is this large and four times what it was after the last rewrite."""

Record = dict[str, Any]
Done = Callable[[bool], None]


def encode(record: Record) -> bytes:
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode(line: bytes) -> Record | None:
    """The record in a line; None when the line is not whole."""
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    try:
        if int(checksum, 16) != zlib.crc32(text):
            return None
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def read(path: Path) -> list[Record]:
    """Every whole record of the file, in order; empty when there is no file."""
    if not path.exists():
        return []
    records, broken = [], 0
    with path.open("rb") as lines:
        for line in lines:
            record = decode(line)
            if record is None:
                broken += 1
            else:
                records.append(record)
    if broken:
        log.warning("journal.torn", path=str(path), broken_lines=broken, records=len(records))
    return records


def _answer(callbacks: list[Done], *, written: bool) -> None:
    for callback in callbacks:
        callback(written)


class Journal:
    """``snapshot`` returns the records that say all that is still true; compaction keeps only these.

    Use from one event loop; ``open`` reads, ``run`` writes until ``close``.
    """

    def __init__(self, path: Path, snapshot: Callable[[], list[Record]]) -> None:
        self._path = path
        self._snapshot = snapshot
        self._pending: list[bytes] = []
        self._callbacks: list[Done] = []
        self._sync = False
        self._wake = asyncio.Event()
        self._closing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._lock = -1
        self._file = -1
        self._size = self._compact_at = 0
        self.broken = False
        """A write failed: what the file holds is no longer certain, and nothing more is accepted."""

    def open(self) -> list[Record]:
        """Lock the file against other processes and read it. Raises ``RuntimeError`` when it is taken."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise RuntimeError(f"{self._path} is in use by another process: stop it first") from error
        return read(self._path)

    def append(self, record: Record, *, sync: bool = False, done: Done | None = None) -> None:
        """Write ``record`` soon, then tell ``done`` whether that succeeded.

        A written record survives the death of this process, with ``sync`` a power cut as well.
        """
        if self.broken or self._closing:
            if done is not None:
                done(False)
            return
        self._pending.append(encode(record))
        self._sync = self._sync or sync
        if done is not None:
            self._callbacks.append(done)
        self._wake.set()

    def close(self) -> None:
        """Let ``run`` write what is pending and end."""
        self._closing = True
        self._wake.set()

    async def run(self) -> None:
        """Compact, then write batches until ``close``."""
        loop = asyncio.get_running_loop()
        try:
            await self._compact(loop)
            while True:
                await self._wake.wait()
                self._wake.clear()
                if self._pending:
                    await self._flush(loop)
                elif self._closing:
                    return
                if self._closing:
                    self._wake.set()
                if self._size > self._compact_at:
                    await self._compact(loop)
        except Exception:
            self.broken = True
            log.exception("journal.failed", path=str(self._path))
            _answer(self._callbacks, written=False)
        finally:
            self._thread.shutdown()
            for descriptor in (self._file, self._lock):
                if descriptor >= 0:
                    os.close(descriptor)

    async def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        lines, self._pending = self._pending, []
        callbacks, self._callbacks = self._callbacks, []
        sync, self._sync = self._sync, False
        try:
            self._size += await loop.run_in_executor(self._thread, self._write, lines, sync)
        except OSError:
            # After a failed fsync the kernel may have dropped the pages: trying again would prove nothing.
            self.broken = True
            _answer(callbacks, written=False)
            raise
        _answer(callbacks, written=True)

    def _write(self, lines: list[bytes], sync: bool) -> int:
        data = b"".join(lines)
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        if sync:
            os.fdatasync(self._file)
        return len(data)

    async def _compact(self, loop: asyncio.AbstractEventLoop) -> None:
        # Records appended from here on are pending, so they land behind the snapshot in the new file.
        records = self._snapshot()
        self._size = await loop.run_in_executor(self._thread, self._rewrite, records)
        self._compact_at = max(COMPACT_BYTES, 4 * self._size)

    def _rewrite(self, records: Iterable[Record]) -> int:
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.writelines(encode(record) for record in records)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        fresh.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        if self._file >= 0:
            os.close(self._file)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        return size
