"""Listings of directories that are kept until the directory changes, so that a page costs what is on it."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from indigo_qos_gateway.adapters.posix.tree import Tree
from indigo_qos_gateway.domain.listing import Listing

_GRANULARITY_NS = 2_000_000_000
"""The coarsest step of modification times: a directory changed within it may change again and not show it."""

_MOST_ENTRIES = 1_000_000
"""Entries kept of all directories together, about 100 MB."""


@dataclass(frozen=True, slots=True)
class _Kept:
    mtime_ns: int
    ctime_ns: int
    listing: Listing


class Listings:
    """Listings of the directories of one tree; safe to use from several threads.

    Whoever creates, removes or renames an entry changes the directory's modification time, here or behind our
    back. A listing is used as long as that is the same, and is kept only if the time was old when it was read: the
    clock of a file server should be right to less than a second.
    """

    def __init__(self, tree: Tree, most: int = _MOST_ENTRIES) -> None:
        self._tree = tree
        self._most = most
        self._kept: OrderedDict[tuple[int, int], _Kept] = OrderedDict()
        self._entries = 0
        self._lock = threading.Lock()

    def of(self, path: str) -> Listing:
        """The entries of a directory. Raises ``ObjectNotFound``."""
        with self._tree.directory(path) as fd:
            now = time.time_ns()
            info = os.fstat(fd)
            key = (info.st_dev, info.st_ino)
            with self._lock:
                kept = self._kept.get(key)
                if kept and (kept.mtime_ns, kept.ctime_ns) == (info.st_mtime_ns, info.st_ctime_ns):
                    self._kept.move_to_end(key)
                    return kept.listing
            listing = Listing(self._tree.entries_of(fd, path))
        old = info.st_mtime_ns < now - _GRANULARITY_NS
        self._keep(key, _Kept(info.st_mtime_ns, info.st_ctime_ns, listing) if old else None)
        return listing

    def _keep(self, key: tuple[int, int], new: _Kept | None) -> None:
        with self._lock:
            before = self._kept.pop(key, None)
            if before is not None:
                self._entries -= len(before.listing)
            if new is None or len(new.listing) > self._most:
                return
            self._kept[key] = new
            self._entries += len(new.listing)
            while self._entries > self._most:
                _, dropped = self._kept.popitem(last=False)
                self._entries -= len(dropped.listing)
