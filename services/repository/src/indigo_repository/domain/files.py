"""Files of a record: their names, states and media types."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from indigo_contracts.problems import FieldError
from indigo_contracts.text import relative_path
from indigo_kernel.problems import AlreadyExists, Conflict, InvalidBody

Damage = Literal["changed", "missing", "unreadable"]


class FileState(StrEnum):
    """``pending``: no content yet; ``uploaded``: content received, not committed; ``completed``: committed."""

    PENDING = "pending"
    UPLOADED = "uploaded"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class File:
    """A file of a record. It has size and digests once it is uploaded, ``content_path`` once it is published."""

    record_id: str
    key: str
    state: FileState
    mimetype: str
    created_at: datetime
    blob: str | None = None
    size: int | None = None
    sha512: str | None = None
    sha256: str | None = None
    md5: str | None = None
    content_path: str | None = None
    damage: Damage | None = None
    checked_at: datetime | None = None


_TYPES = mimetypes.MimeTypes(filenames=())  # the same on every machine: no system files are read
for _type, _suffix in (
    ("text/csv", ".csv"),
    ("text/tab-separated-values", ".tsv"),
    ("text/markdown", ".md"),
    ("application/yaml", ".yaml"),
    ("application/yaml", ".yml"),
    ("application/vnd.apache.parquet", ".parquet"),
    ("application/x-hdf5", ".h5"),
    ("application/x-netcdf", ".nc"),
    ("application/geo+json", ".geojson"),
    ("application/ld+json", ".jsonld"),
    ("text/x-python", ".py"),
    ("application/gzip", ".gz"),
    ("application/zip", ".zip"),
):
    _TYPES.add_type(_type, _suffix)


def guess_type(key: str) -> str:
    """Media type by the name alone; compressed content is told as what it is, not as what is inside."""
    guessed, encoding = _TYPES.guess_type(f"file:///{key.rpartition('/')[2]}", strict=False)
    if encoding == "gzip":
        return "application/gzip"
    if encoding:
        return "application/octet-stream"
    return guessed or "application/octet-stream"


def new_keys(wanted: list[str], there: Iterable[str], most: int) -> list[str]:
    """The checked keys of files to add, in Unicode form NFC.

    Raises ``InvalidBody`` with a pointer for a name that is no safe relative path, and for two names that clash:
    equal but for case, or one a directory of the other. ``AlreadyExists`` when the file is there, ``Conflict``
    when the record would have more than ``most`` files.
    """
    known = set(there)
    if len(known) + len(wanted) > most:
        raise Conflict(f"A record has at most {most} files", max_files=most)
    folded = {key.casefold(): key for key in known}
    directories = {parent.casefold(): key for key in known for parent in _parents(key)}
    keys: list[str] = []
    for number, name in enumerate(wanted):
        try:
            key = relative_path(name)
        except ValueError as error:
            raise _invalid(number, str(error), "path") from error
        if key in known:
            raise AlreadyExists(f"The record has a file {key!r} already", key=key)
        fold = key.casefold()
        other = folded.get(fold) or directories.get(fold)
        other = other or next((folded[p.casefold()] for p in _parents(key) if p.casefold() in folded), None)
        if other is not None:
            raise _invalid(number, f"{key!r} clashes with {other!r} on file systems", "clash")
        known.add(key)
        folded[fold] = key
        directories |= {parent.casefold(): key for parent in _parents(key)}
        keys.append(key)
    return keys


def _parents(key: str) -> list[str]:
    parts = key.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _invalid(number: int, detail: str, code: str) -> InvalidBody:
    return InvalidBody(
        "A file cannot have this name", errors=[FieldError(pointer=f"/{number}/key", detail=detail, code=code)]
    )
