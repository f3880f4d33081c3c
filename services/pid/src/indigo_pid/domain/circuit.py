"""When to ask a registrar again: pauses after failures, for one DOI and for all of them."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

LONGEST = timedelta(hours=1)


def backoff(attempts: int) -> timedelta:
    """The pause after ``attempts`` failures: exponential from 2 s to an hour, with full jitter.

    At least half a second, so that no jitter makes a busy loop.
    """
    most = min(2.0 ** min(attempts, 12), LONGEST.total_seconds())
    return timedelta(seconds=random.uniform(0.5, most))  # noqa: S311 - spreads load, protects nothing


class Circuit:
    """Stops all requests to a registrar that does not answer, and lets one through from time to time.

    After ``threshold`` failures in a row it is open for ``first``, twice as long after each failed probe, up
    to ``longest``: so soon it is known that the registrar is back.
    """

    def __init__(
        self,
        *,
        threshold: int = 5,
        first: timedelta = timedelta(seconds=10),
        longest: timedelta = timedelta(minutes=1),
    ) -> None:
        self._threshold = threshold
        self._first = first
        self._longest = longest
        self._failures = 0
        self._failed_at: datetime | None = None
        self._open_until: datetime | None = None
        self._probing = False

    @property
    def has_failed(self) -> bool:
        """Whether it is open because of failures, and not because the registrar asked for a pause."""
        return self._failures >= self._threshold

    def wait(self, now: datetime) -> timedelta | None:
        """How long to leave the registrar alone; ``None`` when this caller may ask it now.

        When a pause has ended the caller is the probe: others wait until its answer is known, or until
        another pause is over if it never comes.
        """
        if self._open_until is None:
            return None
        if now < self._open_until:
            return self._open_until - now
        self._open_until = now + self._first
        self._probing = True
        return None

    def succeeded(self) -> bool:
        """The registrar answered; whether that is the end of its failures."""
        is_back = self.has_failed
        self._failures = 0
        self._open_until = None
        self._probing = False
        return is_back

    def heard_of(self, back_at: datetime | None) -> bool:
        """Another process had an answer at ``back_at``; whether that is news, and the end of the failures here."""
        if back_at is None or self._failed_at is None or back_at <= self._failed_at:
            return False
        return self.succeeded()

    def failed(self, now: datetime) -> timedelta:
        """The registrar did not answer, or is ill; how long it is left alone because of its failures.

        Requests that were under way when it opened do not count.
        """
        self._failed_at = now
        if self._open_until is None or self._probing:
            self._probing = False
            self._failures += 1
            if self.has_failed:
                times = min(self._failures - self._threshold, 10)
                self._open_until = now + min(self._first * 2**times, self._longest)
        if self._open_until is None or not self.has_failed:
            return timedelta(0)
        return max(self._open_until - now, timedelta(0))

    def asked_to_wait(self, until: datetime) -> None:
        """The registrar named the time to come back (429 or 503 with ``Retry-After``)."""
        self._open_until = max(until, self._open_until or until)
