"""Files of drafts: one flat directory of blobs with random names; no name a user gave reaches the disk here."""

from __future__ import annotations

import hashlib
import os
import re
from datetime import UTC, datetime
from pathlib import Path

from indigo_kernel.ids import new_id

from indigo_repository.adapters.storage.durable import fsync, room
from indigo_repository.application.ports import Digests

_BLOB = re.compile(r"[0-9a-f-]{36}")


class StagedUpload:
    """A file being received, hashed with sha512, sha256 and md5 while it is written."""

    def __init__(self, incoming: Path, sealed: Path, blob: str) -> None:
        self.blob = blob
        self._incoming = incoming / blob
        self._sealed = sealed / blob
        with room():
            self._file = self._incoming.open("xb", buffering=0)
        self._hashes = [hashlib.sha512(), hashlib.sha256(), hashlib.md5(usedforsecurity=False)]
        self._size = 0

    def write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        with room():
            while view:
                view = view[self._file.write(view) :]
        for one in self._hashes:
            one.update(chunk)
        self._size += len(chunk)

    def finish(self) -> Digests:
        with room():
            os.fsync(self._file.fileno())
        self._file.close()
        self._incoming.rename(self._sealed)
        fsync(self._sealed.parent)
        sha512, sha256, md5 = (one.hexdigest() for one in self._hashes)
        return Digests(self._size, sha512, sha256, md5)

    def discard(self) -> None:
        self._file.close()
        self._incoming.unlink(missing_ok=True)


class LocalStaging:
    """Blobs below ``root``: ``incoming`` while they are received, ``sealed`` when they are whole."""

    def __init__(self, root: Path) -> None:
        self._incoming = root / "incoming"
        self._sealed = root / "sealed"

    def receive(self) -> StagedUpload:
        self._prepare()
        return StagedUpload(self._incoming, self._sealed, new_id())

    def path(self, blob: str) -> Path:
        if not _BLOB.fullmatch(blob):
            raise ValueError("this is no name of a blob")
        return self._sealed / blob

    def remove(self, blob: str) -> None:
        self.path(blob).unlink(missing_ok=True)

    def abandoned(self, before: datetime) -> list[str]:
        self._prepare()
        for name in _older(self._incoming, before):
            (self._incoming / name).unlink(missing_ok=True)
        return _older(self._sealed, before)

    def _prepare(self) -> None:
        for directory in (self._incoming, self._sealed):
            directory.mkdir(parents=True, exist_ok=True)


def _older(directory: Path, before: datetime) -> list[str]:
    names = []
    for entry in os.scandir(directory):
        try:
            modified = datetime.fromtimestamp(entry.stat(follow_symlinks=False).st_mtime, UTC)
        except FileNotFoundError:  # finished or removed meanwhile
            continue
        if modified < before:
            names.append(entry.name)
    return names
