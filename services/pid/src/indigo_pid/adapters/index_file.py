"""The name index on disk: batches of lines, each closed by its checksum, later ones over earlier ones.

A line is the key, a tab and the value; a batch ends with ``=`` and the CRC-32 of its lines. What follows the
last whole batch is what a crash left behind and does not count.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import structlog

log = structlog.get_logger()

_BATCH = 10_000


class DiskIndex:
    """Implements ``application.index_keeper.IndexFile`` with one file, written by one process."""

    def __init__(self, path: Path, header: str) -> None:
        """``header`` says what the entries are made for (the prefixes); a file with another one is not used."""
        self._path = path
        self._header = header.encode() + b"\n"
        path.parent.mkdir(parents=True, exist_ok=True)

    def read(self) -> dict[str, bytes] | None:
        try:
            with self._path.open("rb") as file:
                if file.readline() != self._header:
                    return None
                return _read_batches(file)
        except FileNotFoundError:
            return None

    def replace(self, values: Mapping[str, bytes]) -> None:
        new = self._path.with_suffix(".new")
        items = iter(values.items())
        with new.open("wb") as file:
            file.write(self._header)
            while batch := list(islice(items, _BATCH)):
                file.write(_batch(batch))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def append(self, changes: Sequence[tuple[str, bytes]]) -> None:
        with self._path.open("ab") as file:
            file.write(_batch(changes))
            file.flush()
            os.fsync(file.fileno())


def _batch(pairs: Iterable[tuple[str, bytes]]) -> bytes:
    lines = b"".join([b"%b\t%b\n" % (key.encode(), value) for key, value in pairs])
    return b"%b=%08x\n" % (lines, zlib.crc32(lines))


def _read_batches(file: Iterable[bytes]) -> dict[str, bytes]:
    values: dict[str, bytes] = {}
    batch: list[bytes] = []
    for line in file:
        if not line.startswith(b"=") or b"\t" in line:
            batch.append(line)
            continue
        if line != b"=%08x\n" % zlib.crc32(b"".join(batch)):
            break
        for one in batch:
            key, _, value = one.partition(b"\t")
            values[key.decode()] = value[:-1]
        batch = []
    if batch:
        log.warning("index.file_torn", lines=len(batch))
    return values
