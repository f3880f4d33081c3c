"""Redirects before anything else: plain ASGI over the name index, in front of the application.

It answers the requests that leave nothing to decide. Whatever needs a look at the record (a representation other
than where it leads, a tombstone, a place to choose, a name that is not known here) goes on to the application,
unless the database is away: then the index is what there is, and says it in short.
"""

from __future__ import annotations

from indigo_contracts.problems import MEDIA_TYPE
from indigo_kernel.http.scope import route_path
from indigo_kernel.problems import DomainError, Gone, NotFound, Unavailable
from prometheus_client import Counter, Gauge
from starlette.types import ASGIApp, Receive, Scope, Send

from indigo_pid.application.index_keeper import IndexKeeper
from indigo_pid.application.name_index import Mode, NameIndex
from indigo_pid.citation.negotiation import may_name_a_format
from indigo_pid.domain.passthrough import cuts, extended
from indigo_pid.domain.resolution import Standing, standing_of
from indigo_pid.web.resolver import CACHE_SECONDS

RESOLUTIONS = Counter(
    "indigo_resolutions_total", "Names answered from memory, by what was answered", ["service", "outcome"]
)
LAG = Gauge("indigo_resolver_lag_seconds", "Since the index last said what the database says", ["service"])
NAMES = Gauge("indigo_resolver_names", "Names in memory", ["service"])

_SERVICE = "pid"
_FIRST = frozenset("0123456789aA")
"""What a handle, a DOI name or ``ark:`` begins with; no route of the service does with a digit."""
_METHODS = frozenset({"GET", "HEAD"})
_LASTING = [
    (b"cache-control", b"public, max-age=%d" % CACHE_SECONDS),
    (b"vary", b"accept"),
    (b"content-length", b"0"),
]
_EMPTY = {"type": "http.response.body", "body": b""}
_NEVER_HEARD = 1e9


class FastResolver:
    """The outermost middleware. Its first request starts the ``keeper``: only processes that answer keep names."""

    def __init__(self, app: ASGIApp, index: NameIndex, keeper: IndexKeeper) -> None:
        self._app = app
        self._index = index
        self._keeper = keeper
        self._redirected = RESOLUTIONS.labels(_SERVICE, "302")
        LAG.labels(_SERVICE).set_function(lambda: _NEVER_HEARD if (lag := index.lag()) is None else lag)
        NAMES.labels(_SERVICE).set_function(lambda: len(index))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._keeper.start()
        if scope["type"] != "http" or scope["method"] not in _METHODS or self._index.mode is Mode.BEHIND:
            await self._app(scope, receive, send)
            return
        name = route_path(scope)[1:]
        if name[:1] not in _FIRST:
            await self._app(scope, receive, send)
            return
        value = self._index.find(name)
        standing = None if value is None else standing_of(value)
        if value is not None and standing is Standing.ACTIVE and _is_plain(scope) and len(value) > 1:
            self._redirected.inc()
            await send(
                {"type": "http.response.start", "status": 302, "headers": [(b"location", value[1:]), *_LASTING]}
            )
            await send(_EMPTY)
        elif self._index.mode is Mode.CUT_OFF and _looks_like_a_name(name):
            await self._alone(value or self._below(name), standing, scope, send)
        else:
            await self._app(scope, receive, send)

    def _below(self, name: str) -> bytes | None:
        """An entry for an ARK that lies below a known one."""
        for base, rest in cuts(name):
            value = self._index.find(base)
            if value is not None:
                place = extended(value[1:].decode(), rest) if len(value) > 1 else None
                return None if place is None else value[:1] + place.encode()
        return None

    async def _alone(self, value: bytes | None, standing: Standing | None, scope: Scope, send: Send) -> None:
        """Answer with nothing but the index."""
        if value is not None and len(value) > 1:
            self._redirected.inc()
            headers = [(b"location", value[1:]), *_LASTING]
            await send({"type": "http.response.start", "status": 302, "headers": headers})
            await send(_EMPTY)
            return
        error = _problem(standing, whole=self._index.is_whole)
        RESOLUTIONS.labels(_SERVICE, str(error.status)).inc()
        body = error.problem(instance=scope["path"]).model_dump_json(exclude_none=True).encode()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"cache-control", b"no-cache"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _problem(standing: Standing | None, *, whole: bool) -> DomainError:
    if standing is Standing.GONE:
        return Gone("It was withdrawn. Why, and what it was, can be told when the database is back.")
    if standing is None and not whole:
        return Unavailable("The database is away, and this name is not known without it.")
    if standing is Standing.ACTIVE:
        return Unavailable("It leads to its record, which cannot be shown while the database is away.")
    return NotFound("It was never given to anything, or is not published yet.")


def _is_plain(scope: Scope) -> bool:
    """Whether the caller just wants to go there: no query, and no media type a browser would not ask for."""
    if scope["query_string"]:
        return False
    for key, value in scope["headers"]:
        if key == b"accept" and value != b"*/*" and not _leads_away(value):
            return False
    return True


def _leads_away(accept: bytes) -> bool:
    return accept.startswith(b"text/html") and not may_name_a_format(accept)


def _looks_like_a_name(text: str) -> bool:
    return "/" in text and (text[0].isdigit() or text[:4].lower() == "ark:")
