"""JSON that every database, language and peer reads the same way (I-JSON, RFC 7493, and a little more).

Refused: duplicate names, NUL and lone surrogates in text, numbers outside of int64 or of the finite doubles,
NaN and Infinity, byte order marks, encodings other than UTF-8, nesting deeper than a limit.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from indigo_contracts.problems import FieldError

from indigo_kernel.problems import BadRequest, DomainError, InvalidText

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1

_INT64_DIGITS = 19
_SUSPECT_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NOT_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Refused(Exception):
    """The fast reading met something that must not pass."""


class _RepeatedName(dict[str, Any]):
    """An object in which a name stands twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counted = Counter(name for name, _ in pairs)
        self.repeated = next(name for name, times in counted.items() if times > 1)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Refused
    return value


def _pairs_marked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else _RepeatedName(pairs)


def _integer(digits: str) -> int:
    if len(digits) >= _INT64_DIGITS and not INT64_MIN <= _integer_marked(digits) <= INT64_MAX:
        raise _Refused
    return int(digits)


def _integer_marked(digits: str) -> int:
    # Never convert thousands of digits: that costs quadratic time, and Python refuses it with an error of its own.
    return int(digits) if len(digits) <= _INT64_DIGITS + 1 else INT64_MAX + 1


def _double(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Refused
    return value


def _constant(_name: str) -> float:
    raise _Refused


_fast = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_double, parse_constant=_constant
)
_marking = json.JSONDecoder(object_pairs_hook=_pairs_marked, parse_int=_integer_marked)


def check_json(body: bytes, *, max_depth: int) -> None:
    """Raise ``BadRequest`` (malformed, too deep, a name twice) or ``InvalidText`` (values nobody can store).

    The error says where with a JSON Pointer (RFC 6901) when the text could be parsed.
    """
    text = _decoded(body)
    if body.count(b"[") + body.count(b"{") > max_depth and _depth(body) > max_depth:
        raise BadRequest(f"The JSON text is nested deeper than {max_depth} levels")
    try:
        _fast.decode(text)
    except _Refused:
        pass
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    else:
        if "\\u" not in text or not _SUSPECT_ESCAPE.search(text):
            return
    try:
        value = _marking.decode(text)
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    for found in _faults(value, ""):
        raise found


def _decoded(body: bytes) -> str:
    if b"\x00" in body:
        raise InvalidText("The body holds NUL bytes: JSON is sent in UTF-8 (RFC 8259, section 8.1)")
    if body.startswith(b"\xef\xbb\xbf"):
        raise InvalidText("The body begins with a byte order mark (RFC 8259, section 8.1)")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidText(f"The body is not UTF-8 at byte {error.start}") from None


def _depth(body: bytes) -> int:
    depth = deepest = 0
    for bracket in _STRINGS.sub(b"", body).translate(None, _NOT_BRACKETS):
        if bracket in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest


def text_fault(text: str) -> str | None:
    """What keeps ``text`` from being stored; ``None`` when nothing does."""
    if "\x00" in text:
        return "The text holds a NUL character"
    if _SURROGATE.search(text):
        return "The text holds half of a surrogate pair"
    return None


def _faults(value: Any, pointer: str) -> Iterator[DomainError]:
    """Everything wrong below ``value``. The nesting is bounded before this is called."""
    if isinstance(value, _RepeatedName):
        yield _fault(BadRequest, pointer, f"The name {value.repeated!r} stands twice", "repeated_name")
    if isinstance(value, dict):
        for name, item in value.items():
            fault = text_fault(name)
            if fault:
                yield _fault(InvalidText, pointer, f"{fault}, in a name", "invalid_text")
            yield from _faults(item, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _faults(item, f"{pointer}/{position}")
    elif isinstance(value, str):
        fault = text_fault(value)
        if fault:
            yield _fault(InvalidText, pointer, fault, "invalid_text")
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield _fault(InvalidText, pointer, "The number is not finite", "not_finite")
    elif isinstance(value, int) and not INT64_MIN <= value <= INT64_MAX:
        yield _fault(InvalidText, pointer, "The integer does not fit in 64 bits", "integer_size")


def _fault(error: type[DomainError], pointer: str, detail: str, code: str) -> DomainError:
    return error(
        f"{detail} at {pointer or 'the top'}",
        errors=[FieldError(pointer=pointer, detail=detail, code=code)],
    )
