"""Byte ranges of HTTP (RFC 9110, section 14)."""

from __future__ import annotations

import re

from indigo_kernel.problems import BadRequest

from indigo_qos_gateway.domain.selection import Span

_ONE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_CONTENT = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(?:\d{1,18}|\*)")


class Unsatisfiable(Exception):
    """The range begins behind the end (416)."""


def parse_range(value: str, size: int) -> Span | None:
    """The bytes of ``Range: bytes=…`` in an object of ``size`` bytes.

    ``None`` for what a server may ignore: other units, several ranges, or malformed ones (section 14.2).
    Raises ``Unsatisfiable``.
    """
    match = _ONE.fullmatch(value.strip())
    if not match or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        span = Span(max(size - int(last), 0), size - 1)
    else:
        if last and int(last) < int(first):
            return None
        span = Span(int(first), min(int(last), size - 1) if last else size - 1)
    if span.first > span.last:
        raise Unsatisfiable
    return span


def parse_content_range(value: str) -> Span:
    """The place of a partial body (CDMI 1.1.1, clause 6.4.4). Raises ``BadRequest``."""
    match = _CONTENT.fullmatch(value.strip())
    if not match or int(match[1]) > int(match[2]):
        raise BadRequest("Content-Range takes a range such as: bytes 21-24/37")
    return Span(int(match[1]), int(match[2]))
