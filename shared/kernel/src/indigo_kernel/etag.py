"""Versions over HTTP: strong entity tags and the two preconditions (RFC 9110, sections 8.8.3 and 13.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request, Response

from indigo_kernel.problems import BadRequest, PreconditionRequired, StaleVersion

_LIST = re.compile(r'\s*(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"\s*(?:,\s*(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"\s*)*')
_TAG = re.compile(r'(?:W/)?"[^"]*"')
_VERSION_TAG = re.compile(r'"v(0|[1-9][0-9]{0,18})"')


def etag(version: int) -> str:
    """The strong entity tag of an aggregate's ``version``."""
    return f'"v{version}"'


@dataclass(frozen=True, slots=True)
class Expected:
    """Which versions a command may change. ``versions`` is ``None`` for ``If-Match: *``: any that exists."""

    versions: frozenset[int] | None

    def check(self, current: int) -> None:
        """Raise ``StaleVersion`` (412, told the current version and its tag) unless ``current`` is expected."""
        if self.versions is not None and current not in self.versions:
            raise StaleVersion(
                f"The current version is {current}", headers={"etag": etag(current)}, current_version=current
            )


def parse_if_match(value: str) -> Expected:
    """Read an ``If-Match`` value. Weak tags and tags of other shapes match nothing (strong comparison).

    Raises ``BadRequest`` when it is not a list of entity tags.
    """
    if value.strip() == "*":
        return Expected(None)
    if not _LIST.fullmatch(value):
        raise BadRequest('If-Match takes entity tags in double quotes, such as "v3"')
    found = (_VERSION_TAG.fullmatch(tag) for tag in _TAG.findall(value))
    return Expected(frozenset(int(match[1]) for match in found if match))


async def _if_match(
    if_match: Annotated[
        str | None, Header(max_length=1024, description='Entity tag of the version to change, such as `"v3"`')
    ] = None,
) -> Expected:
    if if_match is None:
        raise PreconditionRequired("Say with If-Match which version this changes; GET tells it as ETag")
    return parse_if_match(if_match)


IfMatch = Annotated[Expected, Depends(_if_match)]
"""Parameter of a route that changes something: 428 without ``If-Match``. Declare 412 and 428 with it."""


def not_modified(request: Request, tag: str) -> Response | None:
    """The 304 answer when ``If-None-Match`` has ``tag`` (weak comparison) or ``*``; else ``None``."""
    value = request.headers.get("if-none-match")
    if value is None:
        return None
    if value.strip() == "*" or tag.removeprefix("W/") in (one.removeprefix("W/") for one in _TAG.findall(value)):
        return Response(status_code=304, headers={"etag": tag})
    return None
