"""Where a registrar and this service disagree: everything it lists, held against everything that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope

from indigo_pid.application.ports import NewWork, Registrar, RemoteDoi
from indigo_pid.domain.doi import Doi, DoiStatus

MAX_PAGES = 500
"""Pages of the registrar that are read at most, of up to 1000 DOIs each."""

MAX_TOLD = 1000
"""Differences told one by one; all are counted."""

_BATCH = 1000


class Difference(StrEnum):
    """What is different about a DOI."""

    STATE = "state"
    URL = "url"
    MISSING = "missing"
    """It was registered, and the registrar does not list it."""
    UNKNOWN = "unknown"
    """The registrar lists it under our account, and nothing here asked for it."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference."""

    doi: str
    difference: Difference
    wanted: str | None
    found: str | None


@dataclass(slots=True)
class DriftReport:
    """What a comparison found. ``complete`` unless the registrar has more than was read."""

    remote: int = 0
    compared: int = 0
    in_progress: int = 0
    """Listed by the registrar, and its registration here is not done: no difference yet."""
    complete: bool = True
    counts: dict[Difference, int] = field(default_factory=lambda: dict.fromkeys(Difference, 0))
    told: list[Drift] = field(default_factory=list)

    def note(self, drift: Drift) -> None:
        """Count a difference, and keep it while there is room."""
        self.counts[drift.difference] += 1
        if len(self.told) < MAX_TOLD:
            self.told.append(drift)


async def find_drift(work: NewWork, registrar: Registrar, who: Principal) -> DriftReport:
    """Compare every DOI the registrar lists for the account with what is wanted of it. For operators.

    Nothing is changed. Raises ``RegistrarDown`` and ``RegistrarRefused``.
    """
    who.require(Scope.OPERATOR)
    report = DriftReport()
    seen: set[str] = set()
    pages = 0
    async for page in registrar.listed():
        async with work() as reading:
            known = {one.doi: one for one in await reading.dois.named([each.doi for each in page])}
        for remote in page:
            seen.add(remote.doi)
            _compare(report, remote, known.get(remote.doi))
        report.remote += len(page)
        pages += 1
        if pages == MAX_PAGES:
            report.complete = False
            return report
    await _missing(work, report, seen)
    return report


def _compare(report: DriftReport, remote: RemoteDoi, wanted: Doi | None) -> None:
    if wanted is None:
        report.note(Drift(remote.doi, Difference.UNKNOWN, None, remote.state.value))
        return
    if wanted.status is not DoiStatus.DONE:
        report.in_progress += 1
        return
    report.compared += 1
    if remote.state is not wanted.desired:
        report.note(Drift(remote.doi, Difference.STATE, wanted.desired.value, remote.state.value))
    url = wanted.attributes.get("url")
    if remote.url != url:
        report.note(Drift(remote.doi, Difference.URL, url, remote.url))


async def _missing(work: NewWork, report: DriftReport, seen: set[str]) -> None:
    after: str | None = None
    while True:
        async with work() as reading:
            done: Sequence[Doi] = await reading.dois.listed(DoiStatus.DONE, after=after, limit=_BATCH)
        for doi in done:
            if doi.doi not in seen:
                report.note(Drift(doi.doi, Difference.MISSING, doi.desired.value, None))
        if len(done) < _BATCH:
            return
        after = done[-1].doi
