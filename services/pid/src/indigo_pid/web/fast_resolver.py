"""Redirects before anything else: plain ASGI over the name index, in front of the application.

It answers the requests that leave nothing to decide. Whatever needs a look at the record (a representation other
than where it leads, a tombstone, a place to choose, a name that is not known here) goes on to the application,
unless the database is away: then the index is what there is, and says it in short.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from indigo_contracts.problems import MEDIA_TYPE
from indigo_kernel.http.scope import route_path
from indigo_kernel.problems import DomainError, Gone, NotFound, Unavailable
from prometheus_client import REGISTRY, Gauge
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Receive, Scope, Send

from indigo_pid.application.identifiers import Rules
from indigo_pid.application.index_keeper import IndexKeeper
from indigo_pid.application.name_index import Mode, NameIndex
from indigo_pid.application.template_handles import place_in_memory
from indigo_pid.citation.negotiation import may_name_a_format
from indigo_pid.domain.names import parse_name
from indigo_pid.domain.passthrough import cuts, extended
from indigo_pid.domain.resolution import Standing, standing_of
from indigo_pid.web.resolver import CACHE_SECONDS

LAG = Gauge("indigo_resolver_lag_seconds", "Since the index last said what the database says", ["service"])
NAMES = Gauge("indigo_resolver_names", "Names in memory", ["service"])

_SERVICE = "pid"
_FIRST = frozenset("0123456789aA")
"""What a handle, a DOI name or ``ark:`` begins with; no route of the service does with a digit."""
_METHODS = frozenset({"GET", "HEAD"})
_LASTING = (
    (b"cache-control", b"public, max-age=%d" % CACHE_SECONDS),
    (b"vary", b"accept"),
    (b"content-length", b"0"),
)
_SOON = {"retry-after": "2"}
_EMPTY = {"type": "http.response.body", "body": b""}
_NEVER_HEARD = 1e9


class Resolutions(Collector):
    """Counts answers by status: a plain number each, since a metric that locks is a tenth of a redirect."""

    def __init__(self) -> None:
        self.told: Counter[int] = Counter()

    def describe(self) -> Iterable[Metric]:
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        family = self._family()
        for status, number in self.told.items():
            family.add_metric([_SERVICE, str(status)], number)
        return [family]

    @staticmethod
    def _family() -> CounterMetricFamily:
        what = "Names answered from memory, by what was answered"
        return CounterMetricFamily("indigo_resolutions", what, labels=["service", "outcome"])


RESOLUTIONS = Resolutions()
REGISTRY.register(RESOLUTIONS)


class FastResolver:
    """In front of the application. Its first request starts the ``keeper``: only who answers keeps names."""

    def __init__(self, app: ASGIApp, index: NameIndex, keeper: IndexKeeper, rules: Rules) -> None:
        self._app = app
        self._index = index
        self._keeper = keeper
        self._rules = rules
        self._told = RESOLUTIONS.told
        LAG.labels(_SERVICE).set_function(lambda: _NEVER_HEARD if (lag := index.lag()) is None else lag)
        NAMES.labels(_SERVICE).set_function(lambda: len(index))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._index.mode is Mode.BEHIND:
            self._keeper.start()
        elif scope["type"] == "http" and scope["method"] in _METHODS:
            if _is_plain(scope) and (target := self._index.leads_to(scope["path"]) or self._found(scope)):
                self._told[302] += 1
                headers = [(b"location", target), *_LASTING]
                await send({"type": "http.response.start", "status": 302, "headers": headers})
                await send(_EMPTY)
                return
            if self._index.mode is Mode.CUT_OFF and _looks_like_a_name(name := route_path(scope)[1:]):
                await self._alone(name, scope, send)
                return
        await self._app(scope, receive, send)

    def _found(self, scope: Scope) -> bytes | None:
        """Where a name leads, however it is written; ``None`` when that takes more than the index."""
        name = route_path(scope)[1:]
        value = self._index.find(name) if name[:1] in _FIRST else None
        return value[1:] if value is not None and standing_of(value) is Standing.ACTIVE else None

    def _below(self, name: str) -> bytes | None:
        """Where an ARK leads that lies below a known one, or a handle by a template."""
        for base, rest in cuts(name):
            value = self._index.find(base)
            if value is not None:
                place = extended(value[1:].decode(), rest) if len(value) > 1 else None
                return None if place is None else place.encode()
        place = place_in_memory(self._index, self._rules, name)
        return None if place is None else place.encode()

    async def _alone(self, name: str, scope: Scope, send: Send) -> None:
        """Answer with nothing but the index."""
        value = self._index.find(name)
        target = self._below(name) if value is None else value[1:]
        if target:
            self._told[302] += 1
            headers = [(b"location", target), *_LASTING]
            await send({"type": "http.response.start", "status": 302, "headers": headers})
            await send(_EMPTY)
            return
        error = self._problem(name, None if value is None else standing_of(value))
        self._told[error.status] += 1
        body = error.problem(instance=scope["path"]).model_dump_json(exclude_none=True).encode()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"cache-control", b"no-cache"),
            (b"content-length", b"%d" % len(body)),
            *((key.encode(), value.encode()) for key, value in error.headers.items()),
        ]
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _problem(self, name: str, standing: Standing | None) -> DomainError:
        """What is certain is told. A name that is not known may have been given elsewhere meanwhile."""
        if standing is Standing.GONE:
            return Gone("It was withdrawn. Why, and what it was, can be told when the database is back.")
        if standing is Standing.ACTIVE:
            return Unavailable(
                "It leads to its record, which cannot be shown while the database is away.", headers=_SOON
            )
        if standing is Standing.RESERVED:
            return NotFound("It is reserved for something that is not published yet.")
        parsed = parse_name(name)
        if parsed is None or self._rules.naming.is_mistyped(parsed):
            return NotFound("No such name was ever given.")
        return Unavailable("The database is away, and this name is not known without it.", headers=_SOON)


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
