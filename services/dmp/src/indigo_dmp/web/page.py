"""What the page of a plan shows, put together from what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from indigo_contracts.dmp import PlanSnapshot

from indigo_dmp.application.ports import PlanVersion
from indigo_dmp.domain.outputs import Document, identifier_uri
from indigo_dmp.domain.plan import Change
from indigo_dmp.web.described import citation, schema_org
from indigo_dmp.web.ledger_view import LedgerView
from indigo_dmp.web.wording import rules_of, sentence_of

MOST_TAXA = 100
"""Taxa shown of one output; the rest is in the JSON."""

MOST_VERSIONS = 20


@dataclass(frozen=True, slots=True)
class Project:
    """A project of the plan; ``funding`` in words."""

    title: str
    description: str | None
    period: str | None
    funding: list[str]


def context(
    plan: PlanSnapshot,
    *,
    address: str,
    cite_as: str,
    ledger: LedgerView | None,
    versions: Sequence[PlanVersion],
    notices: Sequence[str],
) -> dict[str, Any]:
    """The names in ``plan.html``. ``address`` is the page's own, ``cite_as`` the one to cite."""
    is_public = plan.published_at is not None
    return {
        "title": plan.title,
        "plan": plan,
        "address": address,
        "citation": citation(plan) if is_public else None,
        "described": schema_org(plan, cite_as),
        "cite_as": cite_as if is_public else None,
        "madmp_url": f"{plan.url.removesuffix(f'/plans/{plan.plan_id}')}/dmps/{plan.plan_id}",
        "projects": projects(plan.madmp),
        "ledger": ledger,
        "versions": versions[:MOST_VERSIONS],
        "more_versions": len(versions) > MOST_VERSIONS,
        "published": Change.PUBLISHED,
        "notices": notices,
        "most_taxa": MOST_TAXA,
        "rules_of": rules_of,
        "sentence_of": sentence_of,
    }


def projects(document: Document) -> list[Project]:
    """The projects of a plan document (maDMP ``project``), with who pays for them."""
    return [
        Project(
            title=project["title"],
            description=project.get("description"),
            period=_period(project.get("start"), project.get("end")),
            funding=[_funding(one) for one in project.get("funding", ())],
        )
        for project in document["dmp"].get("project", ())
    ]


def _period(start: str | None, end: str | None) -> str | None:
    if start and end:
        return f"{start} to {end}"
    if start:
        return f"from {start}"
    return f"until {end}" if end else None


def _funding(funding: dict[str, Any]) -> str:
    words = [identifier_uri(funding["funder_id"]) or "funder not named"]
    grant = identifier_uri(funding["grant_id"]) if "grant_id" in funding else None
    if grant:
        words.append(f"grant {grant}")
    if "funding_status" in funding:
        words.append(funding["funding_status"])
    return ", ".join(words)
