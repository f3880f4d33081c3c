"""What the use cases ask of the storage. Every method blocks: call it in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class Digests:
    """Size in bytes and hex digests of a byte stream, taken while it was received."""

    size: int
    sha512: str
    sha256: str
    md5: str


class Upload(Protocol):
    """One file being received. It is no file of anything until ``finish`` returned."""

    blob: str

    def write(self, chunk: bytes) -> None:
        """Append. Raises ``StorageFull``."""
        ...

    def finish(self) -> Digests:
        """Make the bytes survive a crash and seal the blob. Raises ``StorageFull``."""
        ...

    def discard(self) -> None:
        """Forget the bytes; nothing when it was finished."""
        ...


class Staging(Protocol):
    """Where files of drafts are, by blob name, on the file system of the preservation store."""

    def receive(self) -> Upload: ...

    def path(self, blob: str) -> Path: ...

    def remove(self, blob: str) -> None:
        """Remove a blob; nothing when it is not there."""
        ...

    def abandoned(self, before: datetime) -> list[str]:
        """Remove unfinished uploads last written before an instant; the names of whole blobs of that age."""
        ...


@dataclass(frozen=True, slots=True)
class NewFile:
    """A staged file that is to be preserved under a logical path."""

    logical: str
    source: Path
    digests: Digests


@dataclass(frozen=True, slots=True)
class NewVersion:
    """One version of an object: everything that is in it, and why it was made."""

    object_id: str
    number: int
    files: Sequence[NewFile]
    metadata: bytes
    message: str
    user: str
    user_uri: str
    created: datetime


class Preservation(Protocol):
    """The store that keeps what was published."""

    def prepare(self) -> None:
        """Make the store if it is not there. Raises ``ValueError`` when something else is in its place."""
        ...

    def write(self, version: NewVersion) -> dict[str, str]:
        """Preserve a version whole, read it back and compare; logical path → content path.

        Writing a version that is there already with the same files gives the same answer. Raises
        ``StorageFull`` and ``StorageFault``, and then the version is not there.
        """
        ...

    def open(self, object_id: str, content_path: str) -> AbstractContextManager[BinaryIO]:
        """Read a content file. Raises ``OSError``."""
        ...

    def path(self, object_id: str, content_path: str) -> Path:
        """Where a content file is, for sending it."""
        ...

    def problems(self, object_id: str) -> list[str]:
        """What makes the object invalid, the bytes of its content files left unread."""
        ...

    def recover(self) -> None:
        """Finish or remove what a crash left half done."""
        ...
