"""What a registrar shall know of a DOI, next to what it was seen to know.

Not a queue of commands: there is one wanted state with a revision, and the registrar is brought to it. Ten
changes while the registrar is down are one request afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from indigo_contracts.pid import DoiFailed, DoiHidden, DoiRegistered
from indigo_contracts.repository import PlanLink
from indigo_kernel.problems import Conflict


class DoiState(StrEnum):
    """What a DOI is to be at a registrar, in DataCite's words. Nothing returns to ``draft``."""

    DRAFT = "draft"
    REGISTERED = "registered"
    """It resolves and is not shown to those who search; of something withdrawn, to its tombstone."""
    FINDABLE = "findable"


class DoiStatus(StrEnum):
    """Where the registration stands."""

    SET_ASIDE = "set-aside"
    """The name is kept for something unpublished; the registrar is not told, so promises never kept leave
    no orphan drafts there."""
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Doi:
    """The registration of one DOI. ``revision`` counts what was wanted, ``version`` every change of this."""

    doi: str
    handle: str
    record_id: str | None
    plan: PlanLink | None
    desired: DoiState
    attributes: Mapping[str, Any]
    revision: int
    version: int
    observed_state: DoiState | None = None
    observed_revision: int | None = None
    observed_at: datetime | None = None
    attempts: int = 0
    """Tries for this revision that the registrar did not answer well."""
    problem: str | None = None
    """Why the last try did not do."""
    note: str | None = None
    """What the registrar did otherwise than it was wanted, or warned of, when it did it."""
    failed: bool = False
    next_try_at: datetime | None = None

    @property
    def status(self) -> DoiStatus:
        if self.desired is DoiState.DRAFT:
            return DoiStatus.SET_ASIDE
        if self.failed:
            return DoiStatus.FAILED
        reached = self.observed_revision == self.revision and self.observed_state is self.desired
        return DoiStatus.DONE if reached else DoiStatus.PENDING

    @property
    def subject(self) -> str:
        """The subject of its events."""
        return f"dois/{self.doi}"

    def want(self, desired: DoiState, attributes: Mapping[str, Any], *, now: datetime) -> Doi:
        """The same DOI with a new revision of what is wanted; ``self`` when that is wanted already."""
        if (desired, attributes) == (self.desired, self.attributes):
            return self
        return self._again(now, desired=desired, attributes=attributes, revision=self.revision + 1)

    def retry(self, *, now: datetime, even_if_done: bool = False) -> Doi:
        """Try at once. Raises ``Conflict`` when there is nothing to do.

        ``even_if_done`` because the registrar was seen to have something else since. It is a revision of its
        own: an answer to what was asked before does not count.
        """
        if self.status is DoiStatus.SET_ASIDE or (self.status is DoiStatus.DONE and not even_if_done):
            raise Conflict(f"{self.doi} needs nothing of the registrar: {self.status}")
        return self._again(now, revision=self.revision + 1)

    def postponed(self, problem: str, until: datetime, *, counts: bool) -> Doi:
        """The registrar could not be asked, or could not answer. ``counts`` when it was really tried."""
        return replace(
            self,
            problem=problem,
            next_try_at=until,
            attempts=self.attempts + int(counts),
            version=self.version + 1,
        )

    def seen(self, state: DoiState, *, revision: int, now: datetime, note: str | None = None) -> Doi:
        """The registrar answered ``revision`` with ``state``."""
        seen = replace(
            self, observed_state=state, observed_revision=revision, observed_at=now, version=self.version + 1
        )
        if revision != self.revision:
            return seen
        return replace(seen, problem=None, note=note, next_try_at=None, attempts=0)

    def refused(self, reason: str) -> Doi:
        """Nothing but a change, or an operator, makes trying again worthwhile."""
        return replace(self, failed=True, problem=reason, next_try_at=None, version=self.version + 1)

    def outcome(self, registrar: str) -> DoiRegistered | DoiHidden | DoiFailed | None:
        """The fact to state about what this revision came to; ``None`` while it came to nothing."""
        common: dict[str, Any] = {
            "doi": self.doi,
            "handle": self.handle,
            "record_id": self.record_id,
            "plan": self.plan,
            "registrar": registrar,
            "note": self.note,
        }
        if self.status is DoiStatus.FAILED:
            return DoiFailed(**common, reason=self.problem or "no reason was given")
        if self.status is not DoiStatus.DONE:
            return None
        if self.desired is DoiState.REGISTERED:
            return DoiHidden(**common)
        return DoiRegistered(**common, state="findable", observed_at=self.observed_at)

    def _again(self, now: datetime, **changes: Any) -> Doi:
        changed = replace(
            self, failed=False, problem=None, note=None, attempts=0, version=self.version + 1, **changes
        )
        return replace(changed, next_try_at=None if changed.desired is DoiState.DRAFT else now)
