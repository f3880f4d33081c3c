"""Pages of a listing: keyset positions in opaque signed cursors.

A cursor is base64url of a JSON position and an HMAC-SHA-256 tag (16 bytes) over the position and the listing
it belongs to, so a cursor of another listing or filter is refused like a forged one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from urllib.parse import quote, urlencode

from fastapi import Depends, Query, Request, Response
from indigo_contracts.problems import FieldError
from pydantic import BaseModel, ConfigDict

from indigo_kernel.http.errors import InvalidParameter
from indigo_kernel.http.scope import route_path

MOST = 200
USUAL = 50

_TAG_BYTES = 16
_INSTANT = "t"

T = TypeVar("T")

PositionPart = str | int | datetime
Position = tuple[PositionPart, ...]
"""The sort key of the last item told, ending in something unique."""


class Page(BaseModel, Generic[T]):
    """One page of a listing. ``next_cursor`` is null on the last one."""

    model_config = ConfigDict(frozen=True)

    items: list[T]
    next_cursor: str | None = None


class Cursors:
    """Writes and reads cursors with a secret ``key`` of at least 16 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError("The key that signs cursors needs at least 16 bytes")
        self._key = key

    def write(self, position: Position, listing: str) -> str:
        """The cursor that continues ``listing`` after ``position``."""
        parts = [{_INSTANT: part.isoformat()} if isinstance(part, datetime) else part for part in position]
        text = json.dumps(parts, separators=(",", ":")).encode()
        return urlsafe_b64encode(self._tag(text, listing) + text).rstrip(b"=").decode()

    def read(self, cursor: str, listing: str) -> Position:
        """The position in ``cursor``. Raises ``InvalidParameter`` unless it was written here for ``listing``."""
        try:
            raw = b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True)
        except (Base64Error, UnicodeEncodeError):
            raise _bad_cursor() from None
        tag, text = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(text, listing)):
            raise _bad_cursor()
        return tuple(
            datetime.fromisoformat(part[_INSTANT]) if isinstance(part, dict) else part for part in json.loads(text)
        )

    def _tag(self, text: bytes, listing: str) -> bytes:
        message = b"cursor\x00" + listing.encode() + b"\x00" + text
        return hmac.digest(self._key, message, hashlib.sha256)[:_TAG_BYTES]


def _bad_cursor() -> InvalidParameter:
    detail = "The cursor was not given out for this listing"
    return InvalidParameter(detail, errors=[FieldError(pointer="/query/cursor", detail=detail, code="cursor")])


class PageRequest:
    """Which page is asked for: read ``limit + 1`` rows after ``after``, then call ``page``."""

    def __init__(self, request: Request, response: Response, limit: int, cursor: str | None) -> None:
        self._response = response
        self._cursors: Cursors = request.app.state.cursors
        self._url = request.app.state.public_url + quote(route_path(request.scope))
        self._filters = sorted(
            (name, value) for name, value in request.query_params.multi_items() if name not in {"limit", "cursor"}
        )
        self._listing = f"{route_path(request.scope)}?{urlencode(self._filters)}"
        self.limit = limit
        self.after: Position | None = self._cursors.read(cursor, self._listing) if cursor else None

    def page(self, rows: Sequence[T], key: Callable[[T], Position]) -> Page[T]:
        """The page made of up to ``limit`` of ``rows``; one row more says that there is a next page.

        ``key`` gives an item's sort key. Sets ``Link: <…>; rel="next"`` (RFC 8288) on the answer.
        """
        if len(rows) <= self.limit:
            return Page(items=list(rows))
        items = list(rows[: self.limit])
        cursor = self._cursors.write(key(items[-1]), self._listing)
        query = urlencode([*self._filters, ("limit", self.limit), ("cursor", cursor)])
        self._response.headers.append("link", f'<{self._url}?{query}>; rel="next"')
        return Page(items=items, next_cursor=cursor)


async def _page_request(
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=MOST, description="Most items on the page")] = USUAL,
    cursor: Annotated[str | None, Query(max_length=2048, description="`next_cursor` of the page before")] = None,
) -> PageRequest:
    return PageRequest(request, response, limit, cursor)


Paging = Annotated[PageRequest, Depends(_page_request)]
"""Parameter of a listing route: adds ``limit`` and ``cursor`` to it."""
