"""What an ``Accept`` header asks of a persistent identifier (RFC 9110, 12.5.1).

A name stands for a thing and its address leads there: that is what ``*/*``, HTML, and any media type that is no
description here ask for, as at doi.org. A description is given to those who name its media type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from indigo_pid.citation.formats import BY_MEDIA_TYPE, Format

_QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_PARTS = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_PARAMETERS = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+')
_FORMAT = re.compile(b"|".join(re.escape(name.encode()) for name in BY_MEDIA_TYPE), re.IGNORECASE)
_MOST_RANGES = 50


@dataclass(frozen=True, slots=True)
class Option:
    """Something the caller would take: a format, as ``media_type`` named it, or (``None``) to be led away."""

    format: Format | None
    media_type: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


AWAY = Option(None)


def options(accept: str | None) -> list[Option]:
    """What the caller would take, best first: by quality, then named types before ranges, then in order.

    Parts that cannot be read ask for nothing, and who asks for nothing is led away.
    """
    found: list[tuple[float, int, int, Option]] = []
    for position, (name, parameters, quality) in enumerate(_ranges(accept or "")):
        known = BY_MEDIA_TYPE.get(name)
        if quality > 0:
            option = AWAY if known is None else Option(known, name, parameters)
            found.append((-quality, name.count("*"), position, option))
    return [option for *_, option in sorted(found, key=lambda one: one[:3])] or [AWAY]


def may_name_a_format(accept: bytes) -> bool:
    """Whether a description may be wanted. Quick, for those who answer most requests with a redirect."""
    return _FORMAT.search(accept) is not None


def _ranges(accept: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for part in _PARTS.findall(accept)[:_MOST_RANGES]:
        name, *rest = _PARAMETERS.findall(part) or [""]
        name = name.strip().lower()
        if "/" not in name:
            continue
        quality, parameters = 1.0, {}
        for parameter in rest:
            key, _, value = parameter.partition("=")
            # Clients write blanks around the sign, against the grammar; nothing else could be meant.
            key, value = key.strip().lower(), _unquoted(value.strip())
            if key == "q":
                quality = float(value) if _QUALITY.fullmatch(value) else 0.0
            else:
                parameters[key] = value
        yield name, parameters, quality


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value
