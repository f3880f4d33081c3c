"""Which representation an ``Accept`` header prefers (RFC 9110, section 12.5.1)."""

from __future__ import annotations


def wants_page(accept: str | None) -> bool:
    """Whether HTML is asked for by name, as browsers do; tools that take anything get JSON."""
    return preferred(accept, ["application/json", "text/html"]) == "text/html"


def preferred(accept: str | None, offers: list[str]) -> str | None:
    """The offer with the highest quality, the earlier one when equal; None when none is acceptable."""
    if not accept:
        return offers[0]
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    best, quality = None, 0.0
    for offer in offers:
        matching = [(specific, q) for name, specific, q in ranges if _matches(name, offer)]
        q = max(matching)[1] if matching else 0.0
        if q > quality:
            best, quality = offer, q
    return best


def _range(part: str) -> tuple[str, int, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    q = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                q = min(max(float(value), 0.0), 1.0)
            except ValueError:
                q = 0.0
    return name, 0 if name == "*/*" else 1 if name.endswith("/*") else 2, q


def _matches(name: str, offer: str) -> bool:
    return name in {"*/*", offer} or (name.endswith("/*") and offer.startswith(name[:-1]))
