"""Where registrars and this service disagree: all they list, held against all that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope

from indigo_pid.application.ports import NewWork, Registrar, RegistrarDown, RegistrarRefused, RemoteDoi
from indigo_pid.application.registrars import Registrars
from indigo_pid.domain.doi import Doi, DoiStatus

MAX_PAGES = 500
"""Pages of a registrar that are read at most, of up to 1000 DOIs each."""

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
    registrar: str
    difference: Difference
    wanted: str | None
    found: str | None


@dataclass(slots=True)
class DriftReport:
    """What a comparison found. ``complete`` unless a registrar has more than was read, or was not there."""

    remote: int = 0
    compared: int = 0
    in_progress: int = 0
    """Their registration here is not done, or so young that the registrar's list need not show it: no difference
    yet."""
    complete: bool = True
    unreachable: dict[str, str] = field(default_factory=dict)
    """Registrars that could not be asked, and why."""
    counts: dict[Difference, int] = field(default_factory=lambda: dict.fromkeys(Difference, 0))
    told: list[Drift] = field(default_factory=list)

    def note(self, drift: Drift) -> None:
        """Count a difference, and keep it while there is room."""
        self.counts[drift.difference] += 1
        if len(self.told) < MAX_TOLD:
            self.told.append(drift)


async def find_drift(work: NewWork, registrars: Registrars, who: Principal) -> DriftReport:
    """Compare every DOI the registrars list with what is wanted of it. For operators.

    Nothing is changed. Raises ``RegistrarDown`` when none of them could be asked.
    """
    who.require(Scope.OPERATOR)
    report = DriftReport()
    asked = 0
    for registrar in registrars:
        asked += 1
        try:
            await _compare_all(work, report, registrar)
        except (RegistrarDown, RegistrarRefused) as error:
            report.complete = False
            report.unreachable[registrar.name] = error.reason
    if len(report.unreachable) == asked:
        raise RegistrarDown("; ".join(f"{name}: {reason}" for name, reason in report.unreachable.items()))
    return report


async def _compare_all(work: NewWork, report: DriftReport, registrar: Registrar) -> None:
    seen: set[str] = set()
    pages = 0
    async for page in registrar.listed():
        async with work() as reading:
            since = reading.now - registrar.lag
            known = {one.doi: one for one in await reading.dois.named([each.doi for each in page])}
        for remote in page:
            seen.add(remote.doi)
            _compare(report, registrar, remote, known.get(remote.doi), since)
        report.remote += len(page)
        pages += 1
        if pages == MAX_PAGES:
            report.complete = False
            return
    await _missing(work, report, registrar, seen)


def _compare(
    report: DriftReport, registrar: Registrar, remote: RemoteDoi, wanted: Doi | None, since: datetime
) -> None:
    def differs(difference: Difference, here: str | None, there: str | None) -> None:
        report.note(Drift(remote.doi, registrar.name, difference, here, there))

    if wanted is None:
        differs(Difference.UNKNOWN, None, None if remote.state is None else remote.state.value)
        return
    if wanted.status is not DoiStatus.DONE or _is_younger(wanted, since):
        report.in_progress += 1
        return
    report.compared += 1
    if remote.state not in {None, wanted.desired}:
        differs(Difference.STATE, wanted.desired.value, str(remote.state))
    url = wanted.attributes.get("url")
    if remote.url != url:
        differs(Difference.URL, url, remote.url)


async def _missing(work: NewWork, report: DriftReport, registrar: Registrar, seen: set[str]) -> None:
    after: str | None = None
    while True:
        async with work() as reading:
            since = reading.now - registrar.lag
            done: Sequence[Doi] = await reading.dois.listed(DoiStatus.DONE, after=after, limit=_BATCH)
        for doi in done:
            if doi.doi in seen or doi.doi.partition("/")[0] not in registrar.prefixes:
                continue
            if _is_younger(doi, since):
                report.in_progress += 1
            else:
                report.note(Drift(doi.doi, registrar.name, Difference.MISSING, doi.desired.value, None))
        if len(done) < _BATCH:
            return
        after = done[-1].doi


def _is_younger(doi: Doi, since: datetime) -> bool:
    """Whether its registrar did what is wanted after ``since``."""
    return doi.observed_at is not None and doi.observed_at > since
