"""What a token may allow: the suite's scopes, and WLCG capabilities over storage paths.

Source: WLCG Common JWT Profile 1.3, section 2.2.1.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote


class Scope(StrEnum):
    """The suite's own scopes. None implies another."""

    DMP_WRITE = "dmp:write"
    DMP_PUBLISH = "dmp:publish"
    REPOSITORY_WRITE = "repository:write"
    PID_MINT = "pid:mint"
    INTEGRITY_RUN = "integrity:run"
    QOS_CHANGE = "qos:change"
    OPERATOR = "operator"
    SERVICE = "service"
    """One service of the suite calling another, for example to read a restricted file."""


class StorageAction(StrEnum):
    """What is done to a path. All but ``STAT`` are also the names of capabilities."""

    READ = "read"
    CREATE = "create"
    MODIFY = "modify"
    STAGE = "stage"
    POLL = "poll"
    STAT = "stat"
    """Ask for metadata: size, checksum, locality."""


_GRANTED_BY: dict[StorageAction, frozenset[str]] = {
    StorageAction.READ: frozenset({"read"}),
    StorageAction.CREATE: frozenset({"create", "modify"}),
    StorageAction.MODIFY: frozenset({"modify"}),
    StorageAction.STAGE: frozenset({"stage"}),
    StorageAction.POLL: frozenset({"poll", "stage"}),
    StorageAction.STAT: frozenset({"read", "create", "modify", "stage"}),
}
_PREFIX = "storage."
_CAPABILITIES = frozenset({"read", "create", "modify", "stage", "poll"})


class MalformedScopeError(ValueError):
    """A storage scope without a usable path; the profile wants the whole token rejected."""


@dataclass(frozen=True, slots=True)
class StorageScope:
    """``storage.<capability>:<path>``; ``segments`` are percent-decoded.

    With ``directory`` (the path ended in ``/``) a file of exactly this name is not meant.
    """

    capability: str
    segments: tuple[str, ...]
    directory: bool

    def covers(self, segments: tuple[str, ...], *, directory: bool) -> bool:
        """Whether a path, given as segments, lies at or under this scope's path."""
        if segments[: len(self.segments)] != self.segments:
            return False
        exact = len(segments) == len(self.segments)
        return not (exact and self.directory and not directory)


def parse_storage_scope(scope: str) -> StorageScope | None:
    """Read one scope; ``None`` when it is not one of the five storage capabilities.

    Raises ``MalformedScopeError`` when it is, but its path is absent, relative or not normalized, or
    escapes something that is not UTF-8.
    """
    name, colon, path = scope.partition(":")
    capability = name.removeprefix(_PREFIX)
    if capability == name or capability not in _CAPABILITIES:
        return None
    segments = _segments(path, escaped=True) if colon else None
    if segments is None:
        raise MalformedScopeError(f"{name} needs an absolute, normalized path")
    return StorageScope(capability, segments, path.endswith("/"))


def storage_allows(scopes: Collection[str], action: StorageAction | str, path: str) -> bool:
    """Whether ``scopes`` allow ``action`` on ``path``.

    ``path`` is absolute, not escaped, and counted from the base path of the token's issuer: a token
    of one community says nothing about the area of another. It ends in ``/`` when a directory is
    meant. A path with empty, ``.`` or ``..`` segments is never allowed. Comparison is by segments:
    ``/foo/bar`` covers ``/foo/bar/baz`` and not ``/foo/bargain``.
    """
    segments = _segments(path, escaped=False)
    if segments is None:
        return False
    granted_by = _GRANTED_BY[StorageAction(action)]
    for text in scopes:
        try:
            scope = parse_storage_scope(text)
        except MalformedScopeError:
            continue  # a scope that names no place allows nothing anywhere
        if scope is None or scope.capability not in granted_by:
            continue
        if scope.covers(segments, directory=path.endswith("/")):
            return True
    return False


def covers(held: Collection[str], wanted: str) -> bool:
    """Whether ``wanted`` asks for no more than ``held`` gives: held literally, or a narrower path."""
    if wanted in held:
        return True
    try:
        scope = parse_storage_scope(wanted)
    except MalformedScopeError:
        return False
    if scope is None:
        return False
    path = "/" + "/".join(scope.segments)
    if scope.directory and scope.segments:
        path += "/"
    return storage_allows(held, StorageAction(scope.capability), path)


def _segments(path: str, *, escaped: bool) -> tuple[str, ...] | None:
    """The segments of an absolute path; ``None`` when it is relative, not normalized or wrongly escaped."""
    if not path.startswith("/"):
        return None
    body = path[1:].removesuffix("/")
    if not body:
        return () if path == "/" else None
    segments = []
    for raw in body.split("/"):
        segment = raw
        if escaped:
            try:
                segment = unquote(raw, errors="strict")
            except UnicodeDecodeError:
                return None
        if segment in {"", ".", ".."} or "/" in segment or "\0" in segment:
            return None
        segments.append(segment)
    return tuple(segments)
