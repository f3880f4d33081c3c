"""The memory of a tree of processes, looked at again and again."""

from __future__ import annotations

import asyncio
from pathlib import Path

_INTERVAL = 0.05
_PROC = Path("/proc")


class MemoryWatch:
    """Watches ``root`` and its descendants. ``peak`` is the most memory seen, in bytes.

    Orphans stay in the tree: the first process of their PID namespace adopts them. Counted is what the
    processes do not share with files on disk (``RssAnon``, ``RssShmem`` of ``proc_pid_status(5)``).
    """

    def __init__(self, root: int, limit: int) -> None:
        self._root = root
        self._limit = limit
        self.peak = 0

    async def exceeded(self) -> None:
        """Returns when the tree uses more than the limit."""
        while True:
            used = sum(_memory(pid) for pid in _tree(self._root))
            self.peak = max(self.peak, used)
            if used > self._limit:
                return
            await asyncio.sleep(_INTERVAL)


def _tree(root: int) -> list[int]:
    found = [root]
    for pid in found:  # grows while it is walked
        try:
            tasks = list((_PROC / str(pid) / "task").iterdir())
            for task in tasks:
                found += [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return found


def _memory(pid: int) -> int:
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(
        int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(("RssAnon:", "RssShmem:"))
    )
