"""Run as a program: changes the class of groups of small files for its caller, until that has gone.

The socket whose descriptor is the argument brings where the storage is, then for each group the paths with the
classes they shall be brought to. The first answer says that it is ready; each group is answered by what arrived.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from indigo_qos_gateway.adapters.posix.small_files import SmallFiles, Storage
from indigo_qos_gateway.adapters.posix.tape import TapeTier
from indigo_qos_gateway.adapters.posix.tree import Tree
from indigo_qos_gateway.domain.arrival import Arrived

IDLE_SECONDS = 60.0
"""A mover that had no work for so long ends: it takes the memory of an interpreter."""


@dataclass(frozen=True, slots=True, eq=False)
class _Wish:
    path: str
    target: str

    def watch(self) -> None:
        """A group of small files is always brought to its end."""


def serve(caller: Connection) -> None:
    """Carry out groups until there are no more. Raises ``EOFError`` or ``OSError`` when the caller has gone."""
    storage: Storage = caller.recv()
    tape = TapeTier(storage.tape)
    disk = Tree(storage.disk, tape)
    disk.prepare()
    small = SmallFiles(disk, tape, storage.place)
    caller.send("ready")
    while caller.poll(IDLE_SECONDS):
        wishes = [_Wish(path, target) for path, target in caller.recv()]
        caller.send([end if isinstance(end, Arrived) else None for end in small.bring(wishes)])


if __name__ == "__main__":
    with Connection(int(sys.argv[1])) as caller, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        serve(caller)
