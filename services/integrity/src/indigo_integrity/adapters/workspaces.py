"""Private directories for runs, below the operator's work directory."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_OURS = "process-"
_LOCK = "lock"


class Workspaces:
    """``application.ports.Workspaces``. Nobody else can enter ``root``; several processes may share it.

    Each process has a directory of its own there, locked while it lives. What processes that were killed
    left behind is removed when another one begins to work.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._own: Path | None = None

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[Path]:
        if self._own is None:
            self._own = _take_place(self._root)
        directory = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._own, prefix="run-"))
        try:
            yield directory
        finally:
            await asyncio.to_thread(shutil.rmtree, directory)


def _take_place(root: Path) -> Path:
    """Remove what the dead left, and make a locked directory for this process."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in root.glob(f"{_OURS}*"):
        # gone: another process was faster; locked: its process lives
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            os.close(_lock(old))
            shutil.rmtree(old)
    own = Path(tempfile.mkdtemp(dir=root, prefix=".new-"))
    (own / _LOCK).touch(mode=0o600)
    _lock(own)  # held open until the process ends
    return own.rename(root / f"{_OURS}{own.name.removeprefix('.new-')}")


def _lock(directory: Path) -> int:
    """The open lock file. Raises ``BlockingIOError`` when another process has it."""
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor
