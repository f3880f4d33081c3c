"""The identifier: a name that is never given twice, and what it leads to.

``reserved`` → ``active`` → ``tombstoned``. A reserved one whose draft came to nothing is given up: it stays
reserved, with the reason, and is never used. A tombstoned one stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from indigo_contracts.pid import IdentifierSnapshot, IdentifierState
from indigo_contracts.repository import Identifiers, PlanLink, RecordKind, RecordSnapshot, RecordState
from indigo_kernel.problems import Conflict

from indigo_pid.domain.names import Naming

STATE_OF_RECORD = {
    RecordState.DRAFT: IdentifierState.RESERVED,
    RecordState.PUBLISHED: IdentifierState.ACTIVE,
    RecordState.WITHDRAWN: IdentifierState.TOMBSTONED,
}
_RANK = {IdentifierState.RESERVED: 0, IdentifierState.ACTIVE: 1, IdentifierState.TOMBSTONED: 2}


HISTORY_START = "0" * 64
"""What stands for the hash of an entry before the first (``domain.history``)."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who asked for an identifier: issuer and subject."""

    iss: str
    sub: str


@dataclass(frozen=True, slots=True)
class Identifier:
    """One identifier with its faces. ``version`` changes with every change of it.

    An identifier belongs either to a client (``owner``, ``metadata``) or to a record of the repository
    (``record``), which it follows.
    """

    handle: str
    ark: str | None
    doi: str | None
    resolver_url: str
    state: IdentifierState
    version: int
    created_at: datetime
    updated_at: datetime
    kind: RecordKind | None = None
    target: str | None = None
    metadata: Mapping[str, Any] | None = None
    owner: Owner | None = None
    record: RecordSnapshot | None = None
    """What was last heard of the record; see ``essence``."""
    reason: str | None = None
    """Why it was tombstoned, or given up while it was reserved."""
    citation: str | None = None
    """How to cite what is gone."""
    replacement: str | None = None
    """The name or the URL of what took its place."""
    concept: str | None = None
    """The handle that stands for all versions of what this names one version of."""
    values: Sequence[Mapping[str, Any]] | None = None
    """What a client of the Handle face wrote (``domain.handle_values``); it is all the handle says then."""
    head: str = HISTORY_START
    """The hash of the last entry of its history."""

    @classmethod
    def mint(
        cls,
        naming: Naming,
        suffix: str,
        *,
        now: datetime,
        prefix: str | None = None,
        kind: RecordKind | None = None,
        metadata: Mapping[str, Any] | None = None,
        owner: Owner | None = None,
        record: RecordSnapshot | None = None,
        citable: bool = False,
    ) -> Identifier:
        """A reserved identifier named by ``suffix``. One for a ``record``, or ``citable``, has a DOI name as well.

        With a ``prefix`` it is a handle and nothing else: an ARK ends in a check character, and its hyphens
        mean nothing, which is true of the suffixes made here only.
        """
        named = record.kind if record else kind
        faces = naming.faces(suffix, named) if prefix is None else naming.handle_alone(prefix, suffix)
        return cls(
            handle=faces.handle,
            ark=faces.ark,
            doi=faces.doi if record or citable else None,
            resolver_url=faces.resolver_url,
            state=IdentifierState.RESERVED,
            version=1,
            created_at=now,
            updated_at=now,
            kind=named,
            metadata=metadata,
            owner=owner,
            record=essence(record) if record else None,
        )

    @property
    def record_id(self) -> str | None:
        return self.record.record_id if self.record else None

    @property
    def plan(self) -> PlanLink | None:
        return self.record.plan if self.record else None

    @property
    def subject(self) -> str:
        """The subject of its events."""
        return f"identifiers/{self.handle}"

    def direct(self, target: str, *, now: datetime) -> Identifier:
        """Lead to ``target``; a reserved identifier becomes active. Raises ``Conflict`` when tombstoned."""
        self._must_live("lead elsewhere")
        if (self.target, self.state) == (target, IdentifierState.ACTIVE):
            return self
        return self._changed(now, target=target, state=IdentifierState.ACTIVE)

    def describe(self, metadata: Mapping[str, Any] | None, *, now: datetime) -> Identifier:
        """Replace the client's metadata. Raises ``Conflict`` when tombstoned."""
        self._must_live("be described anew")
        return self if metadata == self.metadata else self._changed(now, metadata=metadata)

    def tombstone(
        self, reason: str, *, now: datetime, citation: str | None = None, replacement: str | None = None
    ) -> Identifier:
        """State that what it named is gone. Raises ``Conflict`` when that was stated before."""
        self._must_live("be tombstoned again")
        return self._changed(
            now,
            state=IdentifierState.TOMBSTONED,
            reason=reason,
            citation=citation,
            replacement=replacement,
        )

    def join(self, concept: str, *, now: datetime) -> Identifier:
        """Be a version of what the handle ``concept`` stands for."""
        return self if self.concept == concept else self._changed(now, concept=concept)

    def cite_as(self, doi: str | None, *, now: datetime) -> Identifier:
        """Have a DOI name from now on."""
        return self._changed(now, doi=doi)

    def write(self, values: Sequence[Mapping[str, Any]], target: str | None, *, now: datetime) -> Identifier:
        """Say ``values`` as a handle and lead to ``target``, or to the record itself when there is none.

        Raises ``Conflict`` when tombstoned.
        """
        self._must_live("be written anew")
        return self._changed(now, values=values, target=target, state=IdentifierState.ACTIVE)

    def is_news(self, record: RecordSnapshot) -> bool:
        """Whether ``record`` is younger than what was heard last; at the same version, further on in its life."""
        if self.record is None:
            return True
        heard = (self.record.version, _RANK[self.state])
        return (record.version, _RANK[STATE_OF_RECORD[record.state]]) > heard

    def follow(self, record: RecordSnapshot, target: str, *, reason: str | None, now: datetime) -> Identifier:
        """The identifier of ``record`` after news of it. ``version`` grows only with a change that matters.

        Raises ``Conflict`` for a record that comes back after its withdrawal: its identifier is spent.
        """
        state = STATE_OF_RECORD[record.state]
        if _RANK[state] < _RANK[self.state]:
            raise Conflict(f"{self.handle} is {self.state}; its record cannot be {record.state} again")
        heard = essence(record)
        followed = replace(
            self,
            record=heard,
            kind=record.kind,
            state=state,
            target=None if state is IdentifierState.RESERVED else target,
            reason=reason if state is IdentifierState.TOMBSTONED and self.reason is None else self.reason,
        )
        before = self.record.model_copy(update={"version": heard.version}) if self.record else None
        if followed == replace(self, record=heard) and before == heard:
            return followed
        return replace(followed, version=self.version + 1, updated_at=now)

    def give_up(self, record: RecordSnapshot, reason: str, *, now: datetime) -> Identifier:
        """The reserved identifier after ``record``, the draft it was for, was thrown away.

        Raises ``Conflict`` when it is public: what it names is no draft.
        """
        if self.state is not IdentifierState.RESERVED:
            raise Conflict(f"{self.handle} is {self.state}; what it names is no draft")
        return self._changed(now, record=essence(record), reason=reason)

    @property
    def is_unused(self) -> bool:
        """Whether it is reserved for something that will not come."""
        return self.state is IdentifierState.RESERVED and self.reason is not None

    def snapshot(self) -> IdentifierSnapshot:
        """What events say of it."""
        return IdentifierSnapshot(
            handle=self.handle,
            ark=self.ark,
            doi=self.doi,
            state=self.state,
            version=self.version,
            kind=self.kind,
            record_id=self.record_id,
            plan=self.plan,
            target=self.target,
            resolver_url=self.resolver_url,
            concept=self.concept,
        )

    def _must_live(self, to: str) -> None:
        if self.state is IdentifierState.TOMBSTONED:
            raise Conflict(f"{self.handle} is tombstoned and cannot {to}")

    def _changed(self, now: datetime, **changes: Any) -> Identifier:
        return replace(self, version=self.version + 1, updated_at=now, **changes)


def essence(record: RecordSnapshot) -> RecordSnapshot:
    """What an identifier keeps of its record: no files, no mail addresses, and not the names it got here."""
    people = [person.model_copy(update={"email": None}) for person in record.creators]
    return record.model_copy(update={"files": [], "identifiers": Identifiers(), "creators": people})
