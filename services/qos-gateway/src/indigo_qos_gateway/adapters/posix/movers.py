"""Processes that migrate small files.

Threads would wait for each other, and the event loop for them: one process has one interpreter.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from multiprocessing import Pipe

import structlog

from indigo_qos_gateway.adapters.posix import mover
from indigo_qos_gateway.adapters.posix.small_files import Storage, Wish
from indigo_qos_gateway.domain.arrival import Arrived

log = structlog.get_logger()

_SECONDS_TO_END = 5.0


class Movers:
    """The movers of one back-end; as many as there are threads that ask at the same time.

    They are started when there is work, and end when there was none for a while, or when this process does.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._idle: list[_Mover] = []
        self._lock = threading.Lock()

    def bring(self, wishes: Sequence[Wish]) -> Sequence[Arrived | None]:
        """What arrived; ``None`` for everything else, whatever the reason: the caller does those itself."""
        taken: _Mover | None = None
        try:
            taken = self._take() or _Mover(self._storage)
            ends = taken.ask(wishes)
        except Exception as error:  # noqa: BLE001 - whatever becomes of a mover, its files are done elsewhere
            code = taken.end() if taken is not None else None
            log.warning("mover.lost", files=len(wishes), error=repr(error), code=code)
            return [None] * len(wishes)
        with self._lock:
            self._idle.append(taken)
        return ends

    def close(self) -> None:
        """End those that have no work."""
        while taken := self._take():
            taken.end()

    def _take(self) -> _Mover | None:
        """The one that was used last: the others may end."""
        with self._lock:
            while self._idle:
                taken = self._idle.pop()
                if taken.runs:
                    return taken
                taken.end()
        return None


class _Mover:
    def __init__(self, storage: Storage) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            # Nothing is imported from where the service was started, and Ctrl-C is not for movers.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", mover.__name__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,
            )
        self._connection.send(storage)

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

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
