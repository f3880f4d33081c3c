"""Names in the gateway's tree. A path is ``/`` or ``/a/b``: absolute, in Unicode form NFC, no slash at its end.

Sources: CDMI 1.1.1, clauses 5.13.3 (object names) and 5.13.4 (escaping).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from indigo_contracts.text import relative_path
from indigo_kernel.problems import BadRequest

ROOT = "/"
RESERVED = "cdmi_"
ORPHANS = "/cdmi_objectid"
"""What has no container is kept here under its identifier (CDMI 1.1.1, clause 5.10)."""


@dataclass(frozen=True, slots=True)
class Places:
    """A part of the tree: what is below these prefixes of one segment, or (``others``) everything else."""

    prefixes: frozenset[str]
    others: bool = False

    @classmethod
    def read(cls, document: Mapping[str, Any] | None) -> Places | None:
        """What ``written`` wrote; ``None`` is the whole tree."""
        return None if document is None else cls(frozenset(document["prefixes"]), document["others"])

    @property
    def written(self) -> dict[str, Any]:
        """As JSON."""
        return {"prefixes": sorted(self.prefixes), "others": self.others}


def parse_path(raw: bytes) -> tuple[str, bool]:
    """A path out of a request target, and whether it was written with a slash at its end.

    Escapes are decoded segment by segment, so ``%2F`` never makes a segment. Raises ``BadRequest``.
    """
    if raw in {b"", b"/"}:
        return ROOT, True
    slash = raw.endswith(b"/")
    body = raw.removeprefix(b"/").removesuffix(b"/")
    segments = [unquote_to_bytes(segment).decode() for segment in body.split(b"/")]
    if any("/" in segment or "?" in segment for segment in segments):
        raise BadRequest("A name has no '/' and no '?'")
    return absolute("/".join(segments)), slash


def absolute(relative: str) -> str:
    """The path of a relative one. Raises ``BadRequest`` for segments no tree should have."""
    try:
        return "/" + relative_path(relative)
    except ValueError as error:
        raise BadRequest(f"The path cannot be used: {error}") from None


def parse_text(text: str) -> str:
    """A path out of text in a body or a parameter: absolute, a slash at its end does not matter."""
    if not text.startswith("/"):
        raise BadRequest("A path begins with '/'")
    body = text[1:].removesuffix("/")
    return absolute(body) if body else ROOT


def check_name_is_free(path: str, own: Collection[str]) -> None:
    """Raise ``BadRequest`` for names nobody may create or delete: ``cdmi_…``, and ``own`` at the root."""
    segments = path[1:].split("/")
    if path == ROOT:
        raise BadRequest("The root container is always there")
    if any(segment.startswith(RESERVED) for segment in segments):
        raise BadRequest("Names that begin with cdmi_ are reserved (CDMI 1.1.1, clause 5.13.3)")
    if segments[0] in own:
        raise BadRequest(f"The name /{segments[0]} is used by the gateway itself")


def parent(path: str) -> str:
    """The container that holds ``path``; the root holds itself."""
    return path.rpartition("/")[0] or ROOT


def name(path: str) -> str:
    """The last segment; empty for the root."""
    return path.rpartition("/")[2]


def join(path: str, relative: str) -> str:
    """``relative`` below ``path``."""
    return f"{path.rstrip('/')}/{relative}"


def lineage(path: str) -> Iterator[str]:
    """``path`` and every container it is in, from the inside out."""
    while path != ROOT:
        yield path
        path = parent(path)
    yield ROOT


def below(path: str, container: str) -> bool:
    """Whether ``path`` is ``container`` or in it."""
    return container in {ROOT, path} or path.startswith(container + "/")
