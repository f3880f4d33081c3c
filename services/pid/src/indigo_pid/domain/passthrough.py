"""Suffix passthrough: an ARK that was not given, below one that was, leads below where that one leads.

Source: ARK specification (draft-kunze-ark), "Suffix passthrough": the longest known name counts, and what follows
it is appended to its target.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

from indigo_pid.domain.names import ascii_lower

MAX_CUTS = 20
"""Shorter names that are tried at most: each may be a look into the database."""

_CUT = re.compile(r"[/.]")
_KEPT = "!$&'()*+,;=:@-._~/"


def cuts(text: str) -> Iterator[tuple[str, str]]:
    """The names an ARK may lie below, longest first, each with what follows it; nothing for other names."""
    if ascii_lower(text[:4]) != "ark:":
        return
    naan_end = text.find("/", 5)
    if naan_end < 0:
        return
    found = [one.start() for one in _CUT.finditer(text, naan_end + 2)]
    for cut in reversed(found[-MAX_CUTS:]):
        if text[cut:] not in {"/", "."}:
            yield text[:cut], text[cut:]


def extended(target: str, rest: str) -> str | None:
    """``target`` with ``rest`` after its path; ``None`` when that could lead elsewhere than below it.

    The host is never touched, no part of ``rest`` climbs, and a target with a query or a fragment has no below.
    """
    parts = urlsplit(target)
    if parts.query or parts.fragment or "?" in target or "#" in target:
        return None
    if not parts.path and not rest.startswith("/"):
        return None
    if any(part in {".", ".."} for part in rest.split("/")) or "\\" in rest:
        return None
    base = target.removesuffix("/") if rest.startswith("/") else target
    return base + quote(rest, safe=_KEPT)
