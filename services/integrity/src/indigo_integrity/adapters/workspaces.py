"""Private directories for runs, below the operator's work directory."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class Workspaces:
    """``application.ports.Workspaces``. Nobody else can enter ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[Path]:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._root, prefix="run-"))
        try:
            yield directory
        finally:
            await asyncio.to_thread(shutil.rmtree, directory)
