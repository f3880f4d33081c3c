"""What the routes of an application are, seen from outside: templates, allowed methods, who answers HEAD."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path
from starlette.types import Scope

if TYPE_CHECKING:
    from fastapi import FastAPI

UNMATCHED = "unmatched"
"""Label of a request no route took: a raw path as a label would let callers fill the metrics store."""


@dataclass(frozen=True, slots=True)
class Entry:
    template: str
    regex: re.Pattern[str]
    methods: frozenset[str]


class RouteTable:
    """Read from the application at the first request, when every router and mount is there."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    @cached_property
    def _entries(self) -> list[Entry]:
        return [
            Entry(context.path_format or context.path, compile_path(context.path)[0], frozenset(context.methods))
            for context in iter_route_contexts(self._app.routes)
            if context.path and context.methods
        ]

    @cached_property
    def _template_of(self) -> dict[int, str]:
        # A route object knows its path without the prefixes it is included under.
        return {
            id(context.original_route): context.path_format or context.path or UNMATCHED
            for context in iter_route_contexts(self._app.routes)
        }

    @cached_property
    def _heads(self) -> list[re.Pattern[str]]:
        return [one.regex for one in self._entries if "HEAD" in one.methods and "GET" not in one.methods]

    def template(self, scope: Scope) -> str:
        """The route template of a handled request, such as ``/plans/{plan_id}``."""
        route = scope.get("route")
        if route is not None:
            return self._template_of.get(id(route), UNMATCHED)
        return "mounted" if "endpoint" in scope else UNMATCHED

    def allowed(self, path: str) -> list[str]:
        """The methods of every route at ``path``, sorted; HEAD goes with GET."""
        methods = {method for one in self._entries if one.regex.match(path) for method in one.methods}
        return sorted(methods | {"HEAD"} if "GET" in methods else methods)

    def has_own_head(self, path: str) -> bool:
        """Whether a route answers HEAD at ``path`` with something else than GET's headers (tus does)."""
        return any(regex.match(path) for regex in self._heads)
