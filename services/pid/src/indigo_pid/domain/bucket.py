"""A token bucket: how long to wait so that requests stay under a rate."""

from __future__ import annotations


class Bucket:
    """``rate`` tokens a second drop into it, ``burst`` fit. Seconds are of any clock that only grows.

    Tokens are handed out ahead: a caller is told how long to wait for the one it got, so callers are served in
    their order and none of them has to ask again.
    """

    def __init__(self, rate: float, burst: int) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError("A bucket needs a rate and room for a token")
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._seen: float | None = None

    def take(self, now: float) -> float:
        """Take a token and return the seconds until it is there, 0 when it is."""
        if self._seen is not None:
            self._tokens = min(self._burst, self._tokens + max(0.0, now - self._seen) * self._rate)
        self._seen = now
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)
