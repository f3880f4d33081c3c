"""The entries of a container, as many as there may be, in little memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

from indigo_qos_gateway.domain.storage import Child, ObjectType


class Listing(Sequence[Child]):
    """Entries in the order of their names. Any part of them is taken in time that depends on the part alone."""

    __slots__ = ("_containers", "_names")

    def __init__(self, entries: Iterable[tuple[str, bool]]) -> None:
        """Out of names, and whether each is a container."""
        known = sorted(entries)
        self._names = [name for name, _ in known]
        self._containers = bytes(container for _, container in known)

    def __eq__(self, other: object) -> bool:
        """As lists are equal."""
        return isinstance(other, Sequence) and self[:] == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, position: int) -> Child: ...

    @overload
    def __getitem__(self, position: slice) -> list[Child]: ...

    def __getitem__(self, position: int | slice) -> Child | list[Child]:
        if isinstance(position, slice):
            part = zip(self._names[position], self._containers[position], strict=True)
            return [_child(name, container) for name, container in part]
        return _child(self._names[position], self._containers[position])


class Part(Sequence[Child]):
    """A listing of which only the entries from position ``first`` on are known."""

    __slots__ = ("_entries", "_first")

    def __init__(self, first: int, entries: Sequence[Child]) -> None:
        self._first = first
        self._entries = entries

    def __len__(self) -> int:
        return self._first + len(self._entries)

    @overload
    def __getitem__(self, position: int) -> Child: ...

    @overload
    def __getitem__(self, position: slice) -> Sequence[Child]: ...

    def __getitem__(self, position: int | slice) -> Child | Sequence[Child]:
        if isinstance(position, int):
            return self[position : position + 1][0]
        start, stop, _ = position.indices(len(self))
        if start < min(self._first, stop):
            raise IndexError(f"what is before position {self._first} was not asked for")
        return self._entries[max(start - self._first, 0) : max(stop - self._first, 0)]


def _child(name: str, container: int) -> Child:
    return Child(name, ObjectType.CONTAINER if container else ObjectType.DATAOBJECT)
