"""All resolvable names in memory, so that the resolver needs nothing but its own process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from enum import Enum

from indigo_pid.domain.handle_values import Value
from indigo_pid.domain.names import Name, Naming, parse_name
from indigo_pid.domain.resolution import Keys, Row, shows, values_key


class Mode(Enum):
    """How far the index can be relied on."""

    BEHIND = "behind"
    """It is being filled, or was read from a file and not compared with the database yet: ask the database."""
    CURRENT = "current"
    """It follows the database. What it does not know may still be a moment younger than it."""
    CUT_OFF = "cut-off"
    """The database cannot be reached. Nothing changes there either, so what is known here is the answer."""


class NameIndex:
    """One dictionary entry for each identifier (``domain.resolution``).

    ``most`` bounds the memory: names beyond it are left to the database. Everything runs on the event loop;
    ``monotonic`` tells seconds that only grow.
    """

    def __init__(self, naming: Naming, most: int, monotonic: Callable[[], float]) -> None:
        self._keys = Keys(naming)
        self._leading = self._keys.leading
        self._most = most
        self._monotonic = monotonic
        self._values: dict[str, bytes] = {}
        self._touched: set[str] | None = None
        self._unsaved: list[tuple[str, bytes]] | None = None
        self._current_at: float | None = None
        self.mode = Mode.BEHIND
        self.loaded = False
        """Whether it was ever whole: without that, not finding a name means nothing."""

    def __len__(self) -> int:
        return len(self._values)

    @property
    def most(self) -> int:
        """How many names it holds at most."""
        return self._most

    @property
    def is_whole(self) -> bool:
        """Whether a name that is not here does not exist, up to the lag."""
        return self.loaded and len(self._values) < self._most

    @property
    def values(self) -> Mapping[str, bytes]:
        """Every entry."""
        return self._values

    def lag(self) -> float | None:
        """Seconds since the index was last known to say what the database says; ``None`` before the first time."""
        return None if self._current_at is None else self._monotonic() - self._current_at

    def leads_to(self, path: str) -> bytes | None:
        """Where ``/`` and a handle or a DOI name under our prefixes, written as it usually is, leads.

        ``None`` or nothing says nothing: ``find`` knows more, and takes several times as long.
        """
        parts = path.split("/", 2)
        value = self._values.get(parts[-1])
        if value is not None and len(parts) == 3 and value[0] in self._leading.get(parts[1], ()):
            return value[1:]
        return None

    def find(self, text: str) -> bytes | None:
        """The entry of a name as somebody wrote it: handle, DOI name or ARK."""
        name = parse_name(text)
        if name is None:
            return None
        for key, face in self._keys.of(name):
            value = self._values.get(key)
            if value is not None and shows(value, face):
                return value
        return None

    def values_of(self, name: Name | None) -> list[Value] | None:
        """The values of a handle that has a template; ``None`` for others."""
        value = None if name is None else self._values.get(values_key(name.key))
        return None if value is None else json.loads(value)

    def replace(self, values: dict[str, bytes]) -> None:
        """Forget everything and know ``values``; changes noted since ``begin`` are kept."""
        for key in self._touched or ():
            values[key] = self._values.get(key, b"")
        for key in [key for key, value in values.items() if not value]:
            del values[key]
        self._values = values
        self.loaded = True

    def entries(self, row: Row) -> Iterable[tuple[str, bytes]]:
        """The entries of ``row``, not stored."""
        return self._keys.entries(row)

    def note(self, rows: Iterable[Row]) -> None:
        """Changes this process has just committed; they are known here before anybody is told."""
        for row in rows:
            for key, value in self._keys.entries(row):
                self._put(key, value)
                if self._touched is not None:
                    self._touched.add(key)

    def begin(self) -> None:
        """A reading of the database begins: what is noted from now on is younger than what it will find."""
        self._touched = set()

    def apply(self, changes: Iterable[tuple[str, bytes]]) -> None:
        """Entries read from the database since ``begin``."""
        touched = self._touched or ()
        for key, value in changes:
            if key not in touched:
                self._put(key, value)

    def end(self) -> None:
        """The reading is over and the index says what the database said when it began."""
        self._touched = None
        self._current_at = self._monotonic()
        self.mode = Mode.CURRENT

    def unsaved(self) -> list[tuple[str, bytes]]:
        """What changed since the last call, for somebody who keeps a copy; empty at the first one."""
        changes, self._unsaved = self._unsaved or [], []
        return changes

    def cut_off(self) -> None:
        """The database is not there."""
        self._touched = None
        if self.loaded:
            self.mode = Mode.CUT_OFF

    def _put(self, key: str, value: bytes) -> None:
        known = self._values.get(key)
        if (known or b"") == value or (known is None and len(self._values) >= self._most):
            return
        if value:
            self._values[key] = value
        else:
            del self._values[key]
        if self._unsaved is not None:
            self._unsaved.append((key, value))
