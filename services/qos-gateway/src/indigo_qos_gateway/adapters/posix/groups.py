"""Changes of class of many files in one thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby

from indigo_qos_gateway.adapters.classes import DISK_AND_TAPE, DISK_ONLY
from indigo_qos_gateway.adapters.posix.drives import Report, Step
from indigo_qos_gateway.adapters.posix.files import Files, is_directory
from indigo_qos_gateway.adapters.posix.migration import Migration, Migrator
from indigo_qos_gateway.adapters.posix.seen import look
from indigo_qos_gateway.adapters.posix.tape import CHUNK
from indigo_qos_gateway.adapters.posix.tiers import Tiers
from indigo_qos_gateway.adapters.posix.tree import Tree, hold
from indigo_qos_gateway.domain.arrival import Arrived
from indigo_qos_gateway.domain.paths import parent
from indigo_qos_gateway.domain.storage import Status

StatusOf = Callable[[str, int], Status]
"""What the open file at a path is."""


class Groups:
    """Carries out groups of steps: what is small and goes to tape together, everything else one by one."""

    def __init__(self, tree: Tree, files: Files, tiers: Tiers, migrator: Migrator, status_of: StatusOf) -> None:
        self._tree = tree
        self._files = files
        self._tiers = tiers
        self._migrator = migrator
        self._status_of = status_of

    def bring(self, steps: Sequence[Step], report: Report) -> None:
        """Bring every step to its end; one that fails stops no other."""
        with ExitStack() as stack:
            group, rest = self._sorted_out(steps, stack)
            self._migrator.migrate([migration for _, migration in group])
            for step, migration in group:
                step.end = migration.error or self._arrived(step, migration)
        report([step for step in steps if step.end is not None])
        for step in rest:
            try:
                step.end = self._alone(step)
            except Exception as error:  # noqa: BLE001 - whatever one object raises is its own failure
                step.end = error
            report([step])

    def _sorted_out(
        self, steps: Sequence[Step], stack: ExitStack
    ) -> tuple[list[tuple[Step, Migration]], list[Step]]:
        """Small files to be migrated, held until the stack is closed, and the others. Some may have ended."""
        group: list[tuple[Step, Migration]] = []
        rest: list[Step] = []
        for step, above in self._with_parents(steps):
            try:
                step.watch()
                migration = self._small(step, above, stack)
            except Exception as error:  # noqa: BLE001 - as above
                step.end = error
                continue
            if migration is None:
                rest.append(step)
            else:
                group.append((step, migration))
        return group, rest

    def _with_parents(self, steps: Sequence[Step]) -> Iterator[tuple[Step, int]]:
        """Every step with the open directory of its file; a directory that cannot be opened ends its steps."""
        for container, members in groupby(steps, key=lambda step: parent(step.path)):
            these = list(members)
            try:
                with self._tree.directory(container) as above:
                    for step in these:
                        yield step, above
            except Exception as error:  # noqa: BLE001 - as above
                for step in these:
                    step.end = step.end or error

    def _small(self, step: Step, above: int, stack: ExitStack) -> Migration | None:
        """The migration of a small file; ``None`` when something else is to be done."""
        held = hold(above, step.path)
        with ExitStack() as mine:
            mine.callback(os.close, held.fd)
            if is_directory(held.fd) or os.fstat(held.fd).st_size > CHUNK or step.target == DISK_ONLY:
                return None
            seen = look(self._tree.attributes, held.fd)
            if seen.stub or seen.migrated:
                return None
            stack.push(mine.pop_all())
        return Migration(held, seen, step.target == DISK_AND_TAPE, step.watch)

    def _arrived(self, step: Step, migration: Migration) -> Arrived | Exception:
        try:
            if migration.keep_disk:
                return Arrived(self._status_of(step.path, migration.held.fd), migration.sha256)
            with self._tree.opened(step.path) as fd:  # a stub is another file
                return Arrived(self._status_of(step.path, fd), migration.sha256)
        except Exception as error:  # noqa: BLE001 - as above
            return error

    def _alone(self, step: Step) -> Arrived:
        step.watch()
        container = self._files.set_container_class(step.path, step.target)
        sha256 = None if container else self._tiers.bring(step.path, step.target, step.watch)
        with self._tree.opened(step.path) as fd:
            return Arrived(self._status_of(step.path, fd), sha256)
