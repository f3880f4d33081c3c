"""Where the bytes of an object are when they are not where its path says, and how they come there.

COPYING → COPIED → PLACED → the switch of the name, in one transaction, which ends the relocation. Until the switch
the object is what its source is; from then on it is the copy, and what is left of the source is removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

HIDDEN = "/cdmi_moved"
"""Container of a back-end with the bytes of objects other parts of the tree show. Clients cannot name it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something of the tree is. ``inner`` is the back-end's own path of a data object.

    Containers stay where they are: for one, ``storage_class`` notes the class new objects in it are brought to.
    """

    path: str
    backend: str
    inner: str | None = None
    storage_class: str | None = None


class Stage(StrEnum):
    """What is known to be done. Each stage is stored before the next one begins."""

    COPYING = "copying"
    """Nothing of the copy counts yet: it is made anew."""

    COPIED = "copied"
    """The copy is whole, and its back-end holds the bytes that were read."""

    PLACED = "placed"
    """The copy is at the class asked for."""


@dataclass(frozen=True, slots=True)
class Relocation:
    """One object on its way from one back-end to another. ``storage_class`` is what the target calls it.

    ``modified`` is when the source was changed last as it was copied. ``recalled_from`` is the class it was at
    before it was recalled to be read; it goes back there when nothing comes of the relocation.
    """

    id: str
    path: str
    source_backend: str
    source_inner: str
    backend: str
    inner: str
    storage_class: str
    size: int
    stage: Stage = Stage.COPYING
    modified: datetime | None = None
    bytes_done: int = 0
    recalled_from: str | None = None


def hidden_path(home: str, relocation_id: str) -> str:
    """Where a back-end keeps the bytes of an object of another part of the tree. Never used twice."""
    return f"{HIDDEN}/{home}/{relocation_id[-2:]}/{relocation_id}"


def is_hidden(inner: str) -> bool:
    """Whether a back-end's own path is for objects of other parts of the tree."""
    return inner == HIDDEN or inner.startswith(HIDDEN + "/")
