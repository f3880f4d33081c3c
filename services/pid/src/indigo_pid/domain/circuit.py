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
    to ``longest``.
    """

    def __init__(
        self,
        *,
        threshold: int = 5,
        first: timedelta = timedelta(seconds=10),
        longest: timedelta = timedelta(minutes=5),
    ) -> None:
        self._threshold = threshold
        self._first = first
        self._longest = longest
        self._failures = 0
        self._open_until: datetime | None = None
        self._probing = False

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

    def succeeded(self) -> None:
        """The registrar answered."""
        self._failures = 0
        self._open_until = None
        self._probing = False

    def failed(self, now: datetime) -> None:
        """The registrar did not answer, or is ill. Requests that were under way when it opened do not count."""
        if self._open_until is not None and not self._probing:
            return
        self._probing = False
        self._failures += 1
        if self._failures >= self._threshold:
            times = min(self._failures - self._threshold, 10)
            self._open_until = now + min(self._first * 2**times, self._longest)

    def asked_to_wait(self, until: datetime) -> None:
        """The registrar named the time to come back (429 or 503 with ``Retry-After``)."""
        self._open_until = max(until, self._open_until or until)
