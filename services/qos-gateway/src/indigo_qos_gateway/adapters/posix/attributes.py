"""Attributes of files that survive a rename: extended attributes, or sidecars where a file system has none.

Names are those StoRM and GEMSS use on tape-backed file systems where there is one.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

MIGRATED = "user.storm.migrated"
"""A good copy is on tape. The value is the file's modification time in ns when it was made."""

SHA256 = "user.storm.checksum.sha256"
RECALL = "user.TSMRecT"
"""A recall is running."""

STUB = "user.indigo.stub"
"""The bytes were removed from disk. Needed beside the block count: an empty file has no blocks to lack."""

COPY = "user.indigo.copy"
"""Name of the copy in the tape tier; written before the copy is, so that no copy is ever nobody's."""

CLASS = "user.indigo.class"
"""Class of a container: what new objects in it are brought to."""

_OURS = frozenset({MIGRATED, SHA256, RECALL, STUB, COPY, CLASS})
_NONE = {errno.ENODATA}
_NOT_HERE = {errno.ENOTSUP, errno.EOPNOTSUPP}


class Attributes(Protocol):
    """Text values by name on open files and directories."""

    def get(self, fd: int, name: str) -> str | None: ...

    def known(self, fd: int) -> Mapping[str, str]:
        """Those of the attributes of this module that are there."""
        ...

    def set(self, fd: int, name: str, value: str) -> None: ...

    def remove(self, fd: int, name: str) -> None:
        """Remove one; it need not be there."""
        ...

    def clear(self, fd: int) -> None:
        """Forget what is kept outside of the file, before it is removed or when it is new."""
        ...


class ExtendedAttributes:
    """Kept by the file system with the file itself."""

    def get(self, fd: int, name: str) -> str | None:
        try:
            return os.getxattr(fd, name).decode(errors="replace")  # others may write any bytes
        except OSError as error:
            if error.errno in _NONE:
                return None
            raise

    def known(self, fd: int) -> Mapping[str, str]:
        # Most files have none: asking for the names first is one call instead of one for each.
        found = {name: self.get(fd, name) for name in os.listxattr(fd) if name in _OURS}
        return {name: value for name, value in found.items() if value is not None}

    def set(self, fd: int, name: str, value: str) -> None:
        os.setxattr(fd, name, value.encode())

    def remove(self, fd: int, name: str) -> None:
        try:
            os.removexattr(fd, name)
        except OSError as error:
            if error.errno not in _NONE:
                raise

    def clear(self, fd: int) -> None:
        """Nothing is outside of the file."""


class Sidecars:
    """One JSON file per inode in a hidden directory, so that a rename keeps file and attributes together."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, fd: int, name: str) -> str | None:
        return self._read(fd).get(name)

    def known(self, fd: int) -> Mapping[str, str]:
        return self._read(fd)

    def set(self, fd: int, name: str, value: str) -> None:
        self._write(fd, self._read(fd) | {name: value})

    def remove(self, fd: int, name: str) -> None:
        values = self._read(fd)
        if values.pop(name, None) is not None:
            self._write(fd, values)

    def clear(self, fd: int) -> None:
        self._path(fd).unlink(missing_ok=True)

    def _path(self, fd: int) -> Path:
        return self._directory / f"{os.fstat(fd).st_ino}.json"

    def _read(self, fd: int) -> dict[str, str]:
        try:
            values: dict[str, str] = json.loads(self._path(fd).read_bytes())
        except FileNotFoundError:
            return {}
        return values

    def _write(self, fd: int, values: dict[str, str]) -> None:
        path = self._path(fd)
        draft = path.with_suffix(f".{os.getpid()}.new")
        with draft.open("w") as file:
            json.dump(values, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)


def supports_extended_attributes(directory: Path) -> bool:
    """Whether the file system of ``directory`` keeps ``user.*`` attributes."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.setxattr(fd, "user.indigo.probe", b"1")
        # Another process that asks at the same time may have removed it.
        ExtendedAttributes().remove(fd, "user.indigo.probe")
    except OSError as error:
        if error.errno in _NOT_HERE:
            return False
        raise
    finally:
        os.close(fd)
    return True
