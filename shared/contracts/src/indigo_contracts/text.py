"""Text that crosses borders: names, paths and words of others that are safe to store and to write to a disk."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
"""Name of an output, a test or a table inside one plan."""

_MAX_SEGMENT_BYTES = 255
_MAX_PATH_BYTES = 1024


def relative_path(value: str) -> str:
    """Check a file's path inside a record, and return it in Unicode form NFC.

    Segments are joined with ``/``; none is empty, ``.`` or ``..``, longer than 255 bytes of UTF-8, or has a
    control character or a backslash. Raises ``ValueError`` with the reason.
    """
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in value):
        raise ValueError("a path has no control characters")
    value = unicodedata.normalize("NFC", value)
    if "\\" in value:
        raise ValueError("a path has no backslashes; segments are joined with /")
    if value.startswith("/"):
        raise ValueError("a path is relative")
    for segment in value.split("/"):
        if segment in {"", ".", ".."}:
            raise ValueError("a path has no empty, '.' or '..' segments")
        if segment != segment.strip():
            raise ValueError("a segment of a path does not begin or end with white space")
        if len(segment.encode()) > _MAX_SEGMENT_BYTES:
            raise ValueError(f"a segment of a path has at most {_MAX_SEGMENT_BYTES} bytes")
    if len(value.encode()) > _MAX_PATH_BYTES:
        raise ValueError(f"a path has at most {_MAX_PATH_BYTES} bytes")
    return value


def storable_text(value: str, longest: int = 2000) -> str:
    """At most ``longest`` characters; NUL and lone surrogates, which a database refuses, are replaced."""
    short = value if len(value) <= longest else value[:longest] + "…"
    return short.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


RelativePath = Annotated[str, AfterValidator(relative_path)]
