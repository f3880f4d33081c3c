"""The history of an identifier as a chain: each entry carries the hash of the one before, so that nobody changes,
drops or inserts one without it being seen.

An entry's hash is the SHA-256 (hex) of its content in canonical JSON (RFC 8785), and the hash of the entry before
is part of the content; the first one has ``START`` there. People are in it as a hash, so that everybody may check
the chain without learning who they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from indigo_pid.domain.canonical import canonical
from indigo_pid.domain.identifier import HISTORY_START, Identifier, Owner

_WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_NOTHING = hashlib.sha256(b"null").hexdigest()


class Change(StrEnum):
    """What happened to an identifier."""

    MINTED = "minted"
    UPDATED = "updated"
    TOMBSTONED = "tombstoned"


@dataclass(frozen=True, slots=True)
class Entry:
    """One change. ``content`` is the canonical JSON that ``hash`` is made of; ``actor`` is not part of it."""

    handle: str
    version: int
    content: str
    hash: str
    actor: Owner | None

    @classmethod
    def of(cls, identifier: Identifier, change: Change, actor: Owner | None) -> Entry:
        """The entry for what ``identifier`` has become, after the one its ``head`` names."""
        # All values are text or small integers, for which this is RFC 8785.
        content = _WRITER.encode(
            {
                **_claims(identifier),
                "actor_sha256": None if actor is None else _actor_digest(actor),
                "at": instant(identifier.updated_at),
                "change": change.value,
                "previous": identifier.head,
            }
        )
        digest = hashlib.sha256(content.encode()).hexdigest()
        return cls(identifier.handle, identifier.version, content, digest, actor)

    @property
    def claims(self) -> dict[str, Any]:
        """The content, read."""
        claims: dict[str, Any] = json.loads(self.content)
        return claims


def first_break(entries: Sequence[Entry], identifier: Identifier) -> str | None:
    """Why the history ``entries``, oldest first, cannot be that of ``identifier``; ``None`` when it holds.

    An identifier from before there were histories has none, or begins in the middle.
    """
    previous, version = HISTORY_START, 0
    for entry in entries:
        claims = entry.claims
        where = f"version {entry.version}"
        if hashlib.sha256(entry.content.encode()).hexdigest() != entry.hash:
            return f"{where} is not what its hash was made of"
        if claims["previous"] != previous:
            return f"{where} does not follow the entry before it"
        if (claims["handle"], claims["version"]) != (identifier.handle, entry.version):
            return f"{where} is about something else"
        if entry.version <= version:
            return f"{where} is not younger than the entry before it"
        previous, version = entry.hash, entry.version
    if previous != identifier.head:
        return "the last entry is not the one the identifier names"
    if entries:
        told, claims = _claims(identifier), entries[-1].claims
        for name, value in told.items():
            if claims[name] != value:
                return f"{name} was changed without an entry"
    return None


def instant(moment: datetime) -> str:
    """An instant as entries carry it: UTC with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _claims(identifier: Identifier) -> dict[str, Any]:
    """What an entry states, and what can be compared with the identifier at any time."""
    return {
        "handle": identifier.handle,
        "version": identifier.version,
        "state": identifier.state.value,
        "target": identifier.target,
        "reason": identifier.reason,
        "replacement": identifier.replacement,
        "concept": identifier.concept,
        "metadata_sha256": _digest(identifier.metadata),
        "values_sha256": _digest(identifier.values),
    }


def _digest(value: Any) -> str:
    return _NOTHING if value is None else hashlib.sha256(canonical(value).encode()).hexdigest()


@lru_cache(maxsize=256)
def _actor_digest(actor: Owner) -> str:
    return _digest([actor.iss, actor.sub])
