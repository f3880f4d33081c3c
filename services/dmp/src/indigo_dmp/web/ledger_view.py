"""The ledger as the page shows it: one group for the plan, one for each output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from indigo_contracts.dmp import PlanSnapshot, PromiseKind, PromiseSnapshot, PromiseState

from indigo_dmp.domain.ledger import Promise, snapshot

_SHOWN_FIRST = (PromiseState.KEPT, PromiseState.BROKEN, PromiseState.DUE, PromiseState.PLANNED)


@dataclass(frozen=True, slots=True)
class Line:
    """A promise. ``links`` are what its evidence speaks about: text and address."""

    promise: PromiseSnapshot
    what: str
    links: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Group:
    """The promises about one output, or about the plan itself."""

    title: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Part:
    """How many promises are in ``state``, and where they stand in a bar that is as wide as all promises."""

    state: str
    count: int
    start: int


@dataclass(frozen=True, slots=True)
class LedgerView:
    groups: list[Group]
    parts: list[Part]
    total: int

    @property
    def kept(self) -> int:
        return next((part.count for part in self.parts if part.state == PromiseState.KEPT), 0)

    @property
    def summary(self) -> str:
        """``3 of 5 promises kept, 1 broken, 1 due``."""
        others = [f"{part.count} {part.state}" for part in self.parts if part.state != PromiseState.KEPT]
        return ", ".join([f"{self.kept} of {self.total} promises kept", *others])


def ledger_view(promises: Sequence[Promise], plan: PlanSnapshot) -> LedgerView:
    """The promises that count now, in the plan's order. ``plan`` gives the titles of its outputs."""
    counting = [promise for promise in promises if promise.retired_at is None]
    titles = {output.key: output.title for output in plan.outputs}
    records = _record_pages(promises)
    groups: dict[str | None, Group] = {}
    for promise in counting:
        told = snapshot(promise)
        key = told.output
        title = "The plan itself" if key is None else titles.get(key, key)
        group = groups.setdefault(key, Group(title, []))
        group.lines.append(Line(told, _sentence(told.title.removeprefix(f"{title}: ")), _links(told, records)))
    return LedgerView(list(groups.values()), _parts(promise.state for promise in counting), len(counting))


def persistent_url(promises: Iterable[Promise]) -> str | None:
    """The address of the plan's DOI, or of its handle, once its promise of an identifier is kept."""
    for promise in promises:
        about_plan = (promise.terms.output, promise.terms.kind) == (None, PromiseKind.IDENTIFIER)
        if about_plan and promise.state is PromiseState.KEPT and promise.evidence:
            details = promise.evidence.details
            if details.get("doi"):
                return f"https://doi.org/{details['doi']}"
            return f"https://hdl.handle.net/{details['handle']}"
    return None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _parts(states: Iterable[PromiseState]) -> list[Part]:
    counts = Counter(states)
    parts: list[Part] = []
    start = 0
    for state in _SHOWN_FIRST:
        if counts[state]:
            parts.append(Part(state.value, counts[state], start))
            start += counts[state]
    return parts


def _record_pages(promises: Iterable[Promise]) -> dict[str, str]:
    """Addresses of records by their id: damage names the record, and where it is was said before."""
    readings = (reading for promise in promises for reading in promise.newest.values())
    told = (reading.evidence.details for reading in readings)
    return {details["record_id"]: details["url"] for details in told if "url" in details}


def _links(promise: PromiseSnapshot, records: dict[str, str]) -> list[tuple[str, str]]:
    details = promise.evidence.details if promise.evidence else {}
    found = [
        ("Record", details.get("url") or records.get(details.get("record_id", ""))),
        ("Report", details.get("report_url")),
        ("DOI", f"https://doi.org/{details['doi']}" if details.get("doi") else None),
    ]
    return [(text, url) for text, url in found if url]
