"""A delimited text file made ready for the engine: decoded to UTF-8, its header read, its odd rows counted.

Source: RFC 4180 (records, quoting); Table Schema's ``missingValues`` and encoding of the Data Package.
"""

from __future__ import annotations

import codecs
import csv
from dataclasses import dataclass
from pathlib import Path

MAX_LINE_BYTES = 2_097_152
"""Longest record the engine reads, and so the longest value."""

_CHUNK = 1 << 20

csv.field_size_limit(MAX_LINE_BYTES)  # process-wide; the default, 128 KiB, is less than what the engine reads


class NotText(Exception):
    """The bytes are not text in the promised encoding; ``offset`` is the first bad byte's, roughly."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


class BadHeader(Exception):
    """The first record cannot be read."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """``path`` holds the same records in UTF-8 without a byte order mark; ``header`` is the first of them."""

    path: Path
    header: list[str]
    blank_lines: bool


def prepare(source: Path, scratch: Path, *, encoding: str, delimiter: str) -> Prepared:
    """Decode ``source`` strictly into ``scratch`` and read its header.

    Raises ``NotText`` for bytes outside of the encoding or a NUL character, ``BadHeader`` when there is no
    first record. A byte order mark is dropped.
    """
    blank = _decode(source, scratch, "utf-8-sig" if encoding == "utf-8" else encoding)
    with scratch.open(encoding="utf-8", newline="") as text:
        try:
            header = next(csv.reader(text, delimiter=delimiter, strict=True), None)
        except csv.Error as error:
            raise BadHeader(f"the header cannot be read: {error}") from error
    if not header:
        raise BadHeader("the file has no header")
    return Prepared(scratch, header, blank)


def _decode(source: Path, target: Path, encoding: str) -> bool:
    """Copy as UTF-8; whether there may be blank lines (a quoted value with an empty line looks the same)."""
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = 0
    blank = False
    tail = ""
    with source.open("rb") as reader, target.open("w", encoding="utf-8", newline="") as writer:
        while True:
            chunk = reader.read(_CHUNK)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:
                start = error.start if isinstance(error, UnicodeDecodeError) else 0
                raise NotText(offset + start, f"not {encoding.removesuffix('-sig')}: {error}") from error
            if "\0" in text:
                raise NotText(offset, "a NUL character is no text")
            seam = tail + text
            blank = blank or "\n\n" in seam or "\n\r\n" in seam or "\r\r" in seam
            tail = seam[-2:]
            writer.write(text)
            if not chunk:
                return blank
            offset += len(chunk)


@dataclass(frozen=True, slots=True)
class OddRow:
    """A record the engine leaves out: ``row`` counts records from 1, which is the header."""

    row: int
    cells: int


def odd_rows(prepared: Prepared, delimiter: str, width: int) -> list[OddRow]:
    """Records that are blank or have more than ``width`` cells: the engine skips them, so that the numbers of
    the rows after them must be corrected. Read only when there are some. Raises ``csv.Error`` on bad quoting.
    """
    with prepared.path.open(encoding="utf-8", newline="") as text:
        return [
            OddRow(number, len(cells))
            for number, cells in enumerate(csv.reader(text, delimiter=delimiter), start=1)
            if not cells or len(cells) > width
        ]
