"""Small files on their way between the tiers, those that go to tape many at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

from indigo_qos_gateway.adapters.classes import DISK_AND_TAPE, DISK_ONLY, Place
from indigo_qos_gateway.adapters.posix.migration import Migration, Migrator
from indigo_qos_gateway.adapters.posix.seen import Seen, look, status_of
from indigo_qos_gateway.adapters.posix.tape import CHUNK, TapeTier
from indigo_qos_gateway.adapters.posix.tiers import Tiers
from indigo_qos_gateway.adapters.posix.tree import Held, Tree, hold, is_directory
from indigo_qos_gateway.domain.arrival import Arrived
from indigo_qos_gateway.domain.paths import parent

End = Arrived | Exception | None
"""How it ended; ``None`` for what is not a small file."""


class Wish(Protocol):
    """A file and the class it shall be brought to. ``watch`` raises to stop that."""

    @property
    def path(self) -> str: ...

    @property
    def target(self) -> str: ...

    def watch(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Storage:
    """Where the two tiers are."""

    disk: Path
    tape: Path
    place: Place


class SmallFiles:
    """Brings small files of ``disk`` to their classes."""

    def __init__(self, disk: Tree, tape: TapeTier, place: Place) -> None:
        self._disk = disk
        self._place = place
        self._migrator = Migrator(disk, tape)
        self._tiers = Tiers(disk, tape, place)

    def bring(self, wishes: Sequence[Wish]) -> list[End]:
        """How each of these ended; one that fails stops no other."""
        ends: dict[Wish, End] = {}
        group: list[tuple[Wish, Migration]] = []
        others: list[Wish] = []
        with ExitStack() as stack:
            for wish, above in self._with_parents(wishes, ends):
                try:
                    wish.watch()
                    with ExitStack() as mine:
                        held = hold(above, wish.path)
                        mine.callback(os.close, held.fd)
                        seen = self._small(held)
                        if seen is None:
                            continue
                        if seen.stub or seen.migrated or wish.target == DISK_ONLY:
                            others.append(wish)
                            continue
                        group.append((wish, Migration(held, seen, wish.target == DISK_AND_TAPE, wish.watch)))
                        stack.push(mine.pop_all())
                except Exception as error:  # noqa: BLE001 - whatever one object raises is its own failure
                    ends[wish] = error
            self._migrator.migrate([migration for _, migration in group])
            for wish, migration in group:
                ends[wish] = migration.error or self._arrived(migration)
        for wish in others:
            ends[wish] = self._alone(wish)
        return [ends.get(wish) for wish in wishes]

    def _with_parents(self, wishes: Sequence[Wish], ends: dict[Wish, End]) -> Iterator[tuple[Wish, int]]:
        """Every wish with the open directory of its file; a directory that cannot be opened ends its wishes."""
        for container, members in groupby(wishes, key=lambda wish: parent(wish.path)):
            these = list(members)
            try:
                with self._disk.directory(container) as above:
                    for wish in these:
                        yield wish, above
            except Exception as error:  # noqa: BLE001 - as above
                for wish in these:
                    ends.setdefault(wish, error)

    def _small(self, held: Held) -> Seen | None:
        """What a small file is; ``None`` for a large one or a directory."""
        if is_directory(held.fd) or os.fstat(held.fd).st_size > CHUNK:
            return None
        return look(self._disk.attributes, held.fd)

    def _alone(self, wish: Wish) -> End:
        try:
            wish.watch()
            return self._tiers.bring(wish.path, wish.target, wish.watch)
        except Exception as error:  # noqa: BLE001 - as above
            return error

    def _arrived(self, migration: Migration) -> End:
        path, fd = migration.held.path, migration.held.fd
        try:
            # A stub is another file.
            status = (
                status_of(self._disk.attributes, self._place, path, fd)
                if migration.keep_disk
                else self._tiers.status(path)
            )
        except Exception as error:  # noqa: BLE001 - as above
            return error
        return Arrived(status, migration.sha256)
