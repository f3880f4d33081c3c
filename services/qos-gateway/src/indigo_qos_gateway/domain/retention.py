"""Retention and holds: what may not be removed or changed, and until when.

Source: CDMI 1.1.1, clause 17. A retention may be lengthened, never shortened; a hold may be added. Only an
operator takes a hold away.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from indigo_kernel.problems import BadRequest, Forbidden

PERIOD = "cdmi_retention_period"
HOLD = "cdmi_hold_id"


def retained_until(metadata: Mapping[str, Any]) -> datetime | None:
    """The end of the retention; ``None`` without one. Raises ``BadRequest`` when it cannot be read."""
    value = metadata.get(PERIOD)
    return None if value in (None, "") else _period(value)[1]


def holds(metadata: Mapping[str, Any]) -> frozenset[str]:
    """The names of the holds. Raises ``BadRequest`` when they cannot be read."""
    value = metadata.get(HOLD)
    if value in (None, "", [], {}):
        return frozenset()
    names = [value] if isinstance(value, str) else list(value) if isinstance(value, list | dict) else None
    if names is None or not all(isinstance(each, str) for each in names):
        raise BadRequest(f"{HOLD} takes names")
    return frozenset(names)


def check_untouched(path: str, metadata: Mapping[str, Any], now: datetime) -> None:
    """Raise ``Forbidden`` while the bytes at ``path`` may not be changed or removed."""
    held = holds(metadata)
    if held:
        raise Forbidden(f"{path} is on hold: {', '.join(sorted(held))}", holds=sorted(held))
    end = retained_until(metadata)
    if end is not None and now < end:
        raise Forbidden(f"{path} is retained until {end.isoformat()}", retained_until=end.isoformat())


def check_update(before: Mapping[str, Any], after: Mapping[str, Any], *, operator: bool) -> None:
    """Raise ``Forbidden`` for an update that shortens a retention or, unless by an ``operator``, ends a hold."""
    old, new = retained_until(before), retained_until(after)
    if old is not None and (new is None or new < old):
        raise Forbidden(f"A retention cannot be shortened; it lasts until {old.isoformat()}")
    ended = holds(before) - holds(after)
    if ended and not operator:
        raise Forbidden(f"A hold cannot be taken away: {', '.join(sorted(ended))}")


def _period(value: Any) -> tuple[datetime, datetime]:
    try:
        begin, end = (_instant(part) for part in value.split("/"))
    except (AttributeError, ValueError):
        raise BadRequest(
            f"{PERIOD} takes an interval such as 2026-01-01T00:00:00.000000Z/2036-01-01T00:00:00.000000Z"
        ) from None
    if end < begin:
        raise BadRequest(f"{PERIOD} ends before it begins")
    return begin, end


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
