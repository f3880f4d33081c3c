"""Addresses that are names: those at public proxies, and at this resolver.

Sources: DOI Handbook 3.8.3 (doi.org, dx.doi.org), hdl.handle.net of the Handle System, N2T and ARK resolvers. A
redirect to such an address goes on to wherever the name leads, so for names of ours it may lead in circles.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from indigo_pid.domain.names import parse_name

_PROXIES = frozenset({"doi.org", "dx.doi.org", "www.doi.org", "hdl.handle.net", "n2t.net", "arks.org"})


def name_at(url: str, resolver: str) -> str | None:
    """The handle, DOI name or ARK that ``url`` is the address of, as written there; ``None`` when of none.

    ``resolver`` is this resolver's own base URL, without a slash at the end.
    """
    try:
        parts, own = urlsplit(url), urlsplit(resolver)
        place, here = (parts.hostname, parts.port), (own.hostname, own.port)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"}:
        return None
    if parts.hostname in _PROXIES:
        path = parts.path
    elif _usual(place) == _usual(here) and parts.path.startswith(f"{own.path}/"):
        path = parts.path.removeprefix(own.path)
    else:
        return None
    name = unquote(path).lstrip("/")
    return None if parse_name(name) is None else name


def _usual(place: tuple[str | None, int | None]) -> tuple[str | None, int | None]:
    return place[0], None if place[1] in {80, 443} else place[1]
