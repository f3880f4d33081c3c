"""The storage classes of one part of the tree that several back-ends keep, and what they are called there.

A class of the part's own back-end has its own name. A class of a back-end that may take over has its own name too,
unless a class that comes before it is called the same: then it is ``<back-end>.<class>``. The name an object shows
and the name that is asked for are the same one, as clients of INDIGO's dialect compare them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from indigo_qos_gateway.domain.storage import DEFAULT_CLASS, ObjectType, StorageClass


@dataclass(frozen=True, slots=True)
class Offered:
    """One back-end and what it offers. ``landing_class`` is that of a data object right after it was written."""

    backend: str
    landing_class: str
    classes: Sequence[StorageClass]

    def of(self, object_type: ObjectType) -> Iterator[StorageClass]:
        return (each for each in self.classes if each.object_type is object_type)

    def entries(self) -> list[str]:
        """The classes a data object that comes from elsewhere can be brought to."""
        landing = next((each for each in self.of(ObjectType.DATAOBJECT) if each.name == self.landing_class), None)
        return [] if landing is None else [landing.name, *landing.allowed]


class Reach:
    """What can be had in one part of the tree: of ``home``, and of the ``takers`` in the operator's order.

    ``others`` may keep bytes from earlier times, when they were takers: their classes have names, no more.
    """

    def __init__(self, home: Offered, takers: Sequence[Offered], others: Sequence[Offered] = ()) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._holders: dict[str, tuple[str, str]] = {}
        for each in (home, *takers, *others):
            for native in sorted({one.name for one in each.classes}):
                name = native if native not in self._holders else f"{each.backend}.{native}"
                self._names[each.backend, native] = name
                self._holders[name] = (each.backend, native)
        self.classes = [shown for each in (home, *takers) for shown in self._shown(each, home, takers)]

    def name(self, backend: str, native: str) -> str:
        """What a class of a back-end is called here."""
        return self._names.get((backend, native), native)

    def holder(self, name: str) -> tuple[str, str] | None:
        """The back-end that has a class, and what the class is called there."""
        return self._holders.get(name)

    def _shown(self, offered: Offered, home: Offered, takers: Sequence[Offered]) -> Iterator[StorageClass]:
        elsewhere = [each for each in (home, *takers) if each.backend != offered.backend]
        containers = {
            self.name(each.backend, one.name) for each in (home, *takers) for one in each.of(ObjectType.CONTAINER)
        }
        for each in offered.classes:
            name = self.name(offered.backend, each.name)
            if each.object_type is ObjectType.CONTAINER:
                allowed = tuple(sorted(containers - {name}))
                noted = {DEFAULT_CLASS: name} if DEFAULT_CLASS in each.metadata else {}
                metadata = {**each.metadata, **noted}
                shown = replace(each, name=name, allowed=allowed, metadata=metadata)
            else:
                own = [self.name(offered.backend, one) for one in each.allowed]
                far = [self.name(other.backend, one) for other in elsewhere for one in other.entries()]
                shown = replace(each, name=name, allowed=(*own, *far))
            yield shown if offered is home else replace(shown, holder=offered.backend, native=each.name)
