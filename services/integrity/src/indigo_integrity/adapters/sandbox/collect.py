"""Takes the outputs of a dead sandbox out of its directory: regular files only, and never through a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from indigo_contracts.text import relative_path

from indigo_integrity.application.ports import OutputEntry

_CHUNK = 1 << 20
_SHOWN = 20
"""So many rejected entries are named; a command can make millions."""


def collect(
    directory: int, target: Path, *, max_files: int, max_bytes: int
) -> tuple[list[OutputEntry], list[tuple[str, str]]]:
    """Copy the regular files below the open ``directory`` to ``target``.

    Returns the copied files and what was left out with the reason (the first twenty). Links are not
    followed, so nothing outside of the directory can be read; names must be safe paths of a record.
    """
    entries: list[OutputEntry] = []
    rejected: list[tuple[str, str]] = []
    total = 0
    for path, mode, size, parent in _walk(directory, "", rejected):
        reason = _reason(path, mode)
        if not reason and len(entries) >= max_files:
            reason = "too-many"
        if not reason and total + size > max_bytes:
            reason = "too-large"
        if not reason:
            reason = _copy(parent, path, target)
        if reason:
            rejected.append((path.encode(errors="backslashreplace").decode(), reason))
            if reason == "too-many":
                break
            continue
        total += size
        entries.append(OutputEntry(path, size))
    return sorted(entries, key=lambda entry: entry.path), rejected[:_SHOWN]


def _reason(path: str, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "symlink"
    if not stat.S_ISREG(mode):
        return "special"
    try:
        return "" if relative_path(path) == path else "name"
    except (ValueError, UnicodeError):
        return "name"


_MAX_DEPTH = 64


def _walk(
    directory: int, prefix: str, rejected: list[tuple[str, str]], depth: int = 0
) -> Iterator[tuple[str, int, int, int]]:
    """(path, mode, size, descriptor of its directory) of everything that is not a directory."""
    for name in sorted(os.listdir(directory)):
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        path = prefix + name
        if not stat.S_ISDIR(status.st_mode):
            yield path, status.st_mode, status.st_size, directory
            continue
        if depth >= _MAX_DEPTH:
            rejected.append((path[:200].encode(errors="backslashreplace").decode(), "name"))
            continue
        try:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
        except OSError:
            rejected.append((path.encode(errors="backslashreplace").decode(), "unreadable"))
            continue
        try:
            yield from _walk(inner, path + "/", rejected, depth + 1)
        finally:
            os.close(inner)


def _copy(parent: int, path: str, target: Path) -> str:
    """Copy one file; returns why it could not be read, or nothing."""
    name = path.rsplit("/", 1)[-1]
    try:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
    except OSError:
        return "unreadable"
    place = target / path
    place.parent.mkdir(parents=True, exist_ok=True)
    with open(source, "rb") as reader, place.open("wb") as writer:  # noqa: PTH123 - a descriptor
        while chunk := reader.read(_CHUNK):
            writer.write(chunk)
    return ""
