"""Processes that bring small files to their classes.

Threads would wait for each other, and the event loop for them: one process has one interpreter.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from multiprocessing import Pipe

import structlog

from indigo_qos_gateway.adapters.posix import mover as program
from indigo_qos_gateway.adapters.posix.small_files import Storage, Wish
from indigo_qos_gateway.domain.arrival import Arrived

log = structlog.get_logger()

_SECONDS_TO_END = 5.0


class Movers:
    """The movers of one back-end: one for each thread that has groups.

    They are started when there is work, and end when there was none for a while, or when this process does.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._own = threading.local()
        self._all: set[Mover] = set()

    def bring(self, wishes: Sequence[Wish]) -> Sequence[Arrived | None]:
        """What arrived; ``None`` for everything else, whatever the reason: the caller does those itself.

        That is everything while the mover of this thread begins to run.
        """
        mover: Mover | None = getattr(self._own, "mover", None)
        try:
            if mover is None:
                self._own.mover = mover = Mover(self._storage)
                self._all.add(mover)
            if mover.listens:
                return mover.ask(wishes)
        except Exception as error:  # noqa: BLE001 - whatever becomes of a mover, its files are done elsewhere
            code = self._end(mover) if mover is not None else None
            had_no_work = code == 0 and isinstance(error, EOFError | OSError)
            if not had_no_work:
                log.warning("mover.lost", files=len(wishes), error=repr(error), code=code)
        return [None] * len(wishes)

    def close(self) -> None:
        """End them. No thread has groups any more."""
        for mover in list(self._all):
            self._end(mover)

    def _end(self, mover: Mover) -> int:
        self._all.discard(mover)
        if getattr(self._own, "mover", None) is mover:
            del self._own.mover
        return mover.end()


class Mover:
    """A mover that is starting, or runs."""

    def __init__(self, storage: Storage) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            # Nothing is imported from where the service was started, and Ctrl-C is not for movers.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", program.__name__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,
            )
        self._connection.send(storage)
        self._listens = False

    @property
    def listens(self) -> bool:
        """Whether it is ready for groups. Raises ``OSError`` or ``EOFError`` when it has ended."""
        if self._connection.poll():  # its first answer, or its end
            self._connection.recv()
            self._listens = True
        return self._listens

    def ask(self, wishes: Sequence[Wish]) -> Sequence[Arrived | None]:
        """Raises ``OSError`` or ``EOFError`` when it does not answer any more, and what pickles raise."""
        self._connection.send([(wish.path, wish.target) for wish in wishes])
        ends: Sequence[Arrived | None] = self._connection.recv()
        return ends

    def end(self) -> int:
        """End it, and tell how it ended."""
        self._connection.close()
        try:
            return self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
