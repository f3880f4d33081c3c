"""Parts of a listing by their positions, in one request each when the part before was listed not long ago.

S3 begins a listing behind a key and not at a position: the last key of a part is remembered, so that the next part
begins behind it. A part nobody read the one before of is counted from the nearest key that is remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from indigo_qos_gateway.adapters.names import hidden
from indigo_qos_gateway.adapters.s3.api import S3
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.storage import Child, ObjectType

_MOST = 1000
"""Keys of one answer."""

_LISTINGS = 1000
"""Containers of which the ends of parts are remembered."""

_ENDS = 2000
"""Ends that are remembered of one container."""

_LAST = "\U0010ffff"
"""Sorts behind everything: behind a container's own prefix it skips what is in the container."""


class Pages:
    """Those of one bucket. The order is that of keys, in which the name of a container ends with a slash."""

    def __init__(self, api: S3) -> None:
        self._api = api
        self._ends: OrderedDict[str, dict[int, str]] = OrderedDict()

    async def of(self, path: str, prefix: str, first: int, count: int) -> Sequence[Child]:
        """``count`` entries of a container from position ``first`` on. Raises ``ObjectNotFound`` without any."""
        ends = self._ends.setdefault(path, {})
        self._ends.move_to_end(path)
        if len(self._ends) > _LISTINGS:
            self._ends.popitem(last=False)
        position = max((each for each in ends if each <= first), default=0)
        after = ends.get(position, "")
        found: list[Child] = []
        while (left := first + count - position) > 0:
            # The container itself is among its keys.
            most = min(_MOST, left if after else left + 1)
            page = await self._api.listing(prefix, delimiter="/", after=after, most=most)
            keys = sorted((*page.keys, *page.prefixes))
            if not keys and not after and prefix:
                self._ends.pop(path, None)
                raise ObjectNotFound(path)
            for key in keys:
                after = key + _LAST if key.endswith("/") and key != prefix else key
                name = key[len(prefix) :].removesuffix("/")
                if hidden(name):
                    continue
                if position >= first:
                    kind = ObjectType.CONTAINER if key.endswith("/") else ObjectType.DATAOBJECT
                    found.append(Child(name, kind))
                position += 1
                if ends.get(position, after) != after:
                    _forget(ends, position)  # something came or went before it
                if position == first + count:
                    break
            ends[position] = after
            if len(ends) > _ENDS:
                _forget(ends, max(ends))
            if page.following is None or not keys:
                break
        return found


def _forget(ends: dict[int, str], position: int) -> None:
    """Forget the ends at a position and behind it."""
    for each in [each for each in ends if each >= position]:
        del ends[each]
