"""The history of an identifier as a chain: each entry carries the hash of the one before, so that nobody changes,
drops or inserts one without it being seen.

An entry's hash is the SHA-256 (hex) of its content in canonical JSON (RFC 8785), and the hash of the entry before
is part of the content; the first one has ``START`` there. People are in it as a hash, so that everybody may check
the chain without learning who they are.

What an entry states depends on its ``form``. The first form has no ``form``; the second states as well the DOI
name, the citation of a tombstone, and the digest of the record as it was heard (``record_digest``). A chain may go
on in a later form and never in an earlier one.

The order of entries is that of their versions, whatever the clock said. A clock that lied is seen afterwards
(``clock_doubts``); its times are not corrected, because nobody knows by how much.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from indigo_contracts.repository import RecordSnapshot

from indigo_pid.domain.canonical import canonical
from indigo_pid.domain.identifier import HISTORY_START, Identifier, Owner

FORM = 2
"""The form of entries written today."""

CLOCK_SKEW = timedelta(minutes=5)
"""Clocks of honest machines differ by less."""

_WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_NOTHING = hashlib.sha256(b"null").hexdigest()


class Change(StrEnum):
    """What happened to an identifier."""

    MINTED = "minted"
    UPDATED = "updated"
    TOMBSTONED = "tombstoned"
    GIVEN_UP = "given-up"


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
                **_claims(identifier, FORM),
                "form": FORM,
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

    @property
    def at(self) -> datetime:
        """When it was written, by the clock of then."""
        return datetime.fromisoformat(self.claims["at"])


def first_break(entries: Sequence[Entry], identifier: Identifier) -> str | None:
    """Why the history ``entries``, oldest first, cannot be that of ``identifier``; ``None`` when it holds.

    An identifier from before there were histories has none, or begins in the middle.
    """
    previous, version, form = HISTORY_START, 0, 1
    for entry in entries:
        where = f"version {entry.version}"
        if hashlib.sha256(entry.content.encode()).hexdigest() != entry.hash:
            return f"{where} is not what its hash was made of"
        claims = entry.claims
        if claims["previous"] != previous:
            return f"{where} does not follow the entry before it"
        if (claims["handle"], claims["version"]) != (identifier.handle, entry.version):
            return f"{where} is about something else"
        if entry.version <= version:
            return f"{where} is not younger than the entry before it"
        before, form = form, claims.get("form", 1)
        if form not in range(before, FORM + 1):
            return f"{where} is of a form that cannot be there"
        previous, version = entry.hash, entry.version
    if previous != identifier.head:
        return "the last entry is not the one the identifier names"
    if entries:
        told, claims = _claims(identifier, form), entries[-1].claims
        for name, value in told.items():
            if name not in claims or claims[name] != value:
                return f"{name} was changed without an entry"
    return None


def clock_doubts(entries: Sequence[Entry], *, now: datetime) -> list[str]:
    """Which times in ``entries``, oldest first, cannot be right: earlier than the one before, or still to come."""
    doubts = []
    before: datetime | None = None
    for entry in entries:
        at = entry.at
        if before is not None and at < before:
            doubts.append(f"version {entry.version} says {instant(at)}, earlier than the entry before it")
        if at > now + CLOCK_SKEW:
            doubts.append(f"version {entry.version} says {instant(at)}, which is still to come")
        before = at
    return doubts


def record_digest(record: RecordSnapshot | None) -> str:
    """SHA-256 (hex) of the canonical JSON of what is known of a record.

    Without its ``version``, which grows with news that say nothing new, and without members that are null or
    empty, at any depth: members that records get one day do not change the digests of today's.
    """
    return _digest(None if record is None else _said(record.model_dump(mode="json", exclude={"version"})))


@lru_cache(maxsize=256)
def instant(moment: datetime) -> str:
    """An instant as entries carry it: UTC with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _claims(identifier: Identifier, form: int) -> dict[str, Any]:
    """What an entry of ``form`` states, and what can be compared with the identifier at any time."""
    claims: dict[str, Any] = {
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
    if form > 1:
        claims |= {
            "citation": identifier.citation,
            "doi": identifier.doi,
            "record_sha256": record_digest(identifier.record),
        }
    return claims


def _said(value: Any) -> Any:
    if isinstance(value, Mapping):
        members = {name: _said(one) for name, one in value.items()}
        return {name: one for name, one in members.items() if one not in (None, [], {})}
    return [_said(one) for one in value] if isinstance(value, list) else value


def _digest(value: Any) -> str:
    return _NOTHING if value is None else hashlib.sha256(canonical(value).encode()).hexdigest()


@lru_cache(maxsize=256)
def _actor_digest(actor: Owner) -> str:
    return _digest([actor.iss, actor.sub])
