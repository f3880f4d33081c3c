"""ISO 8601 durations such as ``P1Y`` or ``PT30M``, counted on the calendar from an instant."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

_FORM = re.compile(
    r"P(?=.)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,5})W)?(?:(\d{1,6})D)?"
    r"(?:T(?=.)(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?"
)
_LAST_YEAR = 9999


@dataclass(frozen=True, slots=True)
class Duration:
    """``months`` follow the calendar: a month after 31 January is the last day of February."""

    text: str
    months: int
    rest: timedelta

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ``ValueError`` for what is no duration, or none at all (``P0D``)."""
        match = _FORM.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text[:100]!r} is not a duration of ISO 8601, such as P30D or PT12H")
        years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        rest = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        if not (years or months or rest):
            raise ValueError("a duration is longer than nothing")
        return cls(match[0], 12 * years + months, rest)

    def after(self, start: datetime) -> datetime:
        """The instant this long after ``start``; the end of time for what lies behind it."""
        month = start.month - 1 + self.months
        year = start.year + month // 12
        if year > _LAST_YEAR:
            return datetime.max.replace(tzinfo=start.tzinfo)
        month = month % 12 + 1
        day = min(start.day, calendar.monthrange(year, month)[1])
        try:
            return start.replace(year=year, month=month, day=day) + self.rest
        except OverflowError:
            return datetime.max.replace(tzinfo=start.tzinfo)
