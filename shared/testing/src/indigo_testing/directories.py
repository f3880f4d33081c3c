"""Directories for the servers of one run, and an end for those of runs that were killed."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from indigo_dev.processes import DirectoryBusyError

ABANDONED_AFTER_SECONDS = 600.0
"""Younger directories are left alone: their run may be about to start its server."""


class _Server(Protocol):
    def stop_detached(self) -> bool: ...


@contextmanager
def server_directory(kind: str, server: Callable[[Path], _Server]) -> Iterator[Path]:
    """A fresh temporary directory, removed afterwards, and so is now what killed runs left of ``kind``."""
    prefix = f"indigo-test-{kind}-"
    for old in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        # Another run may sweep at the same time, and other accounts' directories are theirs to remove.
        with suppress(FileNotFoundError, PermissionError, DirectoryBusyError):
            if time.time() - old.stat().st_mtime > ABANDONED_AFTER_SECONDS:
                server(old).stop_detached()
                shutil.rmtree(old)
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)
