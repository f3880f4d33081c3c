"""The plan: an aggregate that is edited, published in editions, and in the end withdrawn."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from indigo_contracts.dmp import PlanSnapshot, PlanState
from indigo_contracts.envelope import Actor
from indigo_kernel.problems import Conflict, InvalidBody, NotFound

from indigo_dmp.domain.checks import publication_errors
from indigo_dmp.domain.outputs import Document, person, planned_outputs, with_keys


class Change(StrEnum):
    """What made a version."""

    CREATED = "created"
    EDITED = "edited"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Edition:
    """A publication, as the public sees it. ``version`` is the plan's version it was made as."""

    number: int
    version: int
    published_at: datetime
    document: Document


@dataclass(frozen=True, slots=True)
class Withdrawal:
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """``document`` is what the owner works on; ``published`` the edition others see, until the next one."""

    id: str
    version: int
    edition: int
    state: PlanState
    owner: Actor
    document: Document
    created: datetime
    modified: datetime
    published: Edition | None = None
    withdrawal: Withdrawal | None = None

    @classmethod
    def begin(cls, plan_id: str, document: Document, owner: Actor, *, url: str, now: datetime) -> Plan:
        """A new draft. ``created`` is what the document says: an imported plan keeps its age."""
        document = with_keys(_identified(document, url))
        document["dmp"]["modified"] = _text(now)
        created = datetime.fromisoformat(document["dmp"]["created"].upper())
        return cls(plan_id, 1, 0, PlanState.DRAFT, owner, document, created, now)

    def edit(self, document: Document, *, url: str, now: datetime) -> Plan:
        """The next version, with ``document`` in the place of the old one but for ``created`` and ``dmp_id``.

        Raises ``Conflict`` for a withdrawn plan.
        """
        self._must_stand()
        document = with_keys(_identified(document, url), self.document)
        document["dmp"] |= {"created": self.document["dmp"]["created"], "modified": _text(now)}
        return replace(self, version=self.version + 1, document=document, modified=now)

    def edit_output(self, key: str, part: str, value: Any, *, now: datetime) -> tuple[Plan, int]:
        """The next version, with ``part`` of output ``key``'s extension replaced; and the output's index.

        Raises ``NotFound`` when the plan has no such output, ``Conflict`` for a withdrawn plan.
        """
        self._must_stand()
        document = copy.deepcopy(self.document)
        for index, dataset in enumerate(document["dmp"]["dataset"]):
            if dataset["indigo"]["key"] == key:
                dataset["indigo"][part] = value
                document["dmp"]["modified"] = _text(now)
                return replace(self, version=self.version + 1, document=document, modified=now), index
        raise NotFound(f"The plan has no output {key!r}")

    def publish(self, *, now: datetime) -> Plan:
        """The next edition. Raises ``InvalidBody`` with every fault, ``Conflict`` when there is nothing new."""
        self._must_stand()
        if self.published and self.published.document == self.document:
            raise Conflict(f"Nothing has changed since edition {self.edition}")
        if errors := publication_errors(self.document, now):
            raise InvalidBody(
                f"The plan cannot be published: {errors[0].pointer}: {errors[0].detail}", errors=errors
            )
        version, number = self.version + 1, self.edition + 1
        return replace(
            self,
            version=version,
            edition=number,
            state=PlanState.PUBLISHED,
            published=Edition(number, version, now, self.document),
        )

    def withdraw(self, reason: str, *, now: datetime) -> Plan:
        """The plan with a tombstone. Raises ``Conflict`` unless it is published."""
        self._must_stand()
        if self.state is not PlanState.PUBLISHED:
            raise Conflict("Only a published plan can be withdrawn; a draft is deleted")
        return replace(
            self,
            version=self.version + 1,
            state=PlanState.WITHDRAWN,
            withdrawal=Withdrawal(now, reason),
        )

    def owned_by(self, iss: str, sub: str) -> bool:
        return (self.owner.iss, self.owner.sub) == (iss, sub)

    def _must_stand(self) -> None:
        if self.state is PlanState.WITHDRAWN:
            raise Conflict("The plan was withdrawn")


def snapshot(plan: Plan, *, url: str) -> PlanSnapshot:
    """The plan with the document its owner works on, as a snapshot."""
    return _snapshot(plan, plan.document, plan.version, url)


def published_snapshot(plan: Plan, *, url: str) -> PlanSnapshot:
    """The published edition as a snapshot. Raises ``NotFound`` for a draft."""
    if plan.published is None:
        raise NotFound("There is no such plan")
    version = plan.version if plan.withdrawal else plan.published.version
    return _snapshot(plan, plan.published.document, version, url)


def version_snapshot(
    plan: Plan,
    document: Document,
    *,
    version: int,
    edition: int,
    state: PlanState,
    published_at: datetime | None,
    url: str,
) -> PlanSnapshot:
    """The plan as it was at ``version``."""
    told = _snapshot(plan, document, version, url)
    return told.model_copy(update={"edition": edition, "state": state, "published_at": published_at})


def _snapshot(plan: Plan, document: Document, version: int, url: str) -> PlanSnapshot:
    dmp = document["dmp"]
    return PlanSnapshot(
        plan_id=plan.id,
        version=version,
        edition=plan.edition,
        state=plan.state,
        title=dmp["title"],
        description=dmp.get("description"),
        language=dmp["language"],
        contact=person(dmp["contact"], "contact_id"),
        contributors=[person(one, "contributor_id") for one in dmp.get("contributor", ())],
        created=plan.created,
        modified=datetime.fromisoformat(dmp["modified"]),
        published_at=plan.published.published_at if plan.published else None,
        url=url,
        outputs=planned_outputs(document),
        madmp=document,
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _identified(document: Document, url: str) -> Document:
    """The document under our ``dmp_id``; the one it came with is kept as an alternate identifier."""
    dmp = dict(document["dmp"])
    sent = dmp["dmp_id"]
    alternates = list(dmp.get("alternate_identifier", ()))
    known = {(one["identifier"], one["type"]) for one in alternates}
    if (
        sent["identifier"] != url
        and sent["identifier"].strip()
        and (sent["identifier"], sent["type"]) not in known
    ):
        alternates.append({"identifier": sent["identifier"], "type": sent["type"]})
    if alternates:
        dmp["alternate_identifier"] = alternates
    dmp["dmp_id"] = {**sent, "identifier": url, "type": "url"}
    return {**document, "dmp": dmp}
