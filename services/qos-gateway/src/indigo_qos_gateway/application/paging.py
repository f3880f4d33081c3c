"""Parts of long listings: where a storage can give one by itself, nothing before it is read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from heapq import merge
from itertools import groupby, islice
from typing import Protocol, runtime_checkable

from indigo_qos_gateway.domain.storage import Child, ObjectType


@runtime_checkable
class Paged(Protocol):
    """What a back-end may offer besides ``ports.Backend``."""

    async def page(self, path: str, first: int, count: int) -> Sequence[Child]:
        """The entries of a container from position ``first`` on, ``count`` of them or those that are left.

        In their order the name of a container ends with a slash. Raises ``ObjectNotFound``.
        """
        ...


async def page_among(home: Paged, path: str, others: Sequence[str], first: int, count: int) -> list[Child]:
    """A page of what ``home`` has in a container and of other objects with these names, in order, together.

    Raises ``ObjectNotFound``.
    """
    # At most all of the others are before the part: it begins no more entries of the home earlier.
    begin = max(0, first - len(others))
    inside = await home.page(path, begin, first + count - begin)
    if begin and others and not inside:
        begin, inside = 0, await home.page(path, 0, first + count)
    before = bisect_left(others, _key(inside[0])) if begin and inside else 0
    rest = (Child(name, ObjectType.DATAOBJECT) for name in others[before:])
    # What moves just now may be in both.
    each_once = (next(same) for _, same in groupby(merge(inside, rest, key=_key), key=_key))
    start = first - begin - before
    return list(islice(each_once, start, start + count))


def _key(child: Child) -> str:
    return child.name + "/" if child.object_type is ObjectType.CONTAINER else child.name
