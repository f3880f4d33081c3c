"""Names of what is in a container, of which only those that are shown are ever made."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import overload

from indigo_qos_gateway.domain.storage import Child, ObjectType


class Names(Sequence[str]):
    """Objects and containers, these with a slash at the end if ``strict``, and ``nodes`` between them."""

    def __init__(self, children: Sequence[Child], nodes: Sequence[str], *, strict: bool) -> None:
        self._children = children
        self._nodes = sorted(nodes)
        self._places = [
            bisect_left(children, each, key=lambda child: child.name) + before
            for before, each in enumerate(self._nodes)
        ]
        self._slash = "/" if strict else ""

    def __len__(self) -> int:
        return len(self._children) + len(self._nodes)

    @overload
    def __getitem__(self, position: int) -> str: ...

    @overload
    def __getitem__(self, position: slice) -> list[str]: ...

    def __getitem__(self, position: int | slice) -> str | list[str]:
        if isinstance(position, int):
            return self[position : position + 1][0]
        first, end, _ = position.indices(len(self))
        before, until = bisect_left(self._places, first), bisect_left(self._places, end)
        shown = [self._name(child) for child in self._children[first - before : end - until]]
        for node in range(before, until):
            shown.insert(self._places[node] - first, self._nodes[node])
        return shown

    def _name(self, child: Child) -> str:
        return child.name + self._slash if child.object_type is ObjectType.CONTAINER else child.name
