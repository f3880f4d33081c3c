"""Brings a registrar to what is wanted, one DOI at a time, as often as it takes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn

import structlog
from indigo_kernel.clock import Clock
from indigo_kernel.db.jobs import Later
from indigo_kernel.db.uow import Job

from indigo_pid.application.ports import (
    NewWork,
    Reached,
    Registrar,
    RegistrarDown,
    RegistrarRefused,
    Underway,
    Work,
)
from indigo_pid.application.registrars import Registrars
from indigo_pid.domain.circuit import Circuit, backoff
from indigo_pid.domain.doi import Doi, DoiState, DoiStatus

log = structlog.get_logger()

_LEFT_ALONE = "The registrar does not answer; it is left alone for a while"
_WORTH_TELLING = timedelta(seconds=5)
"""Shorter pauses, as registrars ask for with 429, are over before many come that have to wait for them."""
_BEHIND_OTHERS = timedelta(seconds=1)


class Reconciler:
    """The handler of the jobs of kind ``doi``.

    A registrar may be asked any number of times: the name is ours and it replaces what it has. So a lost reply,
    a worker killed half way, or two of them cost a request and nothing else. One registrar that is ill does not
    hold up the others.
    """

    def __init__(self, work: NewWork, registrars: Registrars, clock: Clock) -> None:
        self._work = work
        self._registrars = registrars
        self._clock = clock
        self._circuits: defaultdict[str, Circuit] = defaultdict(Circuit)

    async def handle(self, job: Job) -> None:
        """Bring one DOI to what is wanted. Raises ``Later`` when the registrar could not be asked or was ill."""
        async with self._work() as work:
            doi = await work.dois.find(job.key)
        if doi is None:
            raise LookupError(f"no registration of {job.key}")
        if doi.status is not DoiStatus.PENDING:
            return
        registrar = self._registrars.of(doi.doi)
        if registrar is None:
            await self._refused(job, doi, "No registrar is set for the prefix of this DOI")
            return
        if problems := registrar.problems(doi):
            reason = "; ".join(f"{one.pointer}: {one.detail}" for one in problems)
            await self._refused(job, doi, f"The metadata is not complete. {reason}")
            return
        circuit = self._circuits[registrar.name]
        now = self._clock.now()
        pause = circuit.wait(now)
        if pause is not None and not await self._is_back(registrar, circuit):
            if pause >= _WORTH_TELLING:
                # The instant is the circuit's own, so that those who come next find all put off already.
                await self._all_later(job.kind, registrar, now + pause)
            raise Later(pause, _LEFT_ALONE)
        try:
            answer = await registrar.bring(doi)
        except RegistrarRefused as refusal:
            await self._answered(job.kind, registrar, circuit)
            await self._refused(job, doi, refusal.reason)
            return
        except RegistrarDown as down:
            await self._later(job, down.reason, self._pause(circuit, doi, down), counts=True)
        await self._answered(job.kind, registrar, circuit)
        if isinstance(answer, Underway):
            await self._waiting(job, doi, answer)
        else:
            await self._reached(job, doi, answer)

    async def give_up(self, job: Job, error: BaseException) -> None:
        """The worker stops trying because of an error of ours: say so where people look."""
        async with self._work() as work:
            current = await work.dois.find(job.key, for_update=True)
            if current is not None and current.status is DoiStatus.PENDING:
                await self._save(work, current.refused(f"It could not be processed here: {error!r}"))

    def _pause(self, circuit: Circuit, doi: Doi, down: RegistrarDown) -> timedelta:
        now = self._clock.now()
        left_alone = circuit.failed(now)
        # When the registrar is ill this one waits as all do. The others go first: it may be this one after all.
        pause = left_alone + _BEHIND_OTHERS if left_alone else backoff(doi.attempts + 1)
        if down.retry_after is None:
            return pause
        circuit.asked_to_wait(now + down.retry_after)
        return max(pause, down.retry_after)

    async def _is_back(self, registrar: Registrar, circuit: Circuit) -> bool:
        """Whether another process had an answer of the registrar since it failed here."""
        if not circuit.has_failed:
            return False
        async with self._work() as work:
            return circuit.heard_of(await work.dois.registrar_back_at(registrar.name))

    async def _answered(self, kind: str, registrar: Registrar, circuit: Circuit) -> None:
        """The registrar answered. After failures all that waits for it is due, as fast as it may be asked."""
        if not circuit.succeeded():
            return
        async with self._work() as work:
            await work.bring_forward(kind, _beginnings(registrar), registrar.interval)
            await work.dois.bring_forward(registrar.prefixes, kind)
            await work.dois.registrar_back(registrar.name, work.now)
        log.info("registrar.back", registrar=registrar.name)

    async def _reached(self, job: Job, doi: Doi, answer: Reached) -> None:
        async with self._work() as work:
            current = await self._locked(work, doi.doi)
            seen = current.seen(doi.desired, revision=doi.revision, now=work.now, note=answer.note)
            await self._save(work, seen)
            await work.finish(job)

    async def _waiting(self, job: Job, doi: Doi, answer: Underway) -> NoReturn:
        pause = backoff(doi.attempts + 1) if answer.after is None else answer.after
        await self._later(job, answer.reason, pause, counts=answer.failed, state=answer.state)

    async def _refused(self, job: Job, doi: Doi, reason: str) -> None:
        async with self._work() as work:
            current = await self._locked(work, doi.doi)
            if current.revision == doi.revision:
                log.warning("doi.refused", doi=doi.doi, reason=reason)
                await self._save(work, current.refused(reason))
            await work.finish(job)

    async def _later(
        self, job: Job, reason: str, pause: timedelta, *, counts: bool, state: DoiState | None = None
    ) -> NoReturn:
        """Try again after ``pause``; ``state`` is what the registrar was seen to have meanwhile."""
        async with self._work() as work:
            current = await self._locked(work, job.key)
            observed = replace(current, observed_state=state or current.observed_state)
            await work.dois.save(observed.postponed(reason, work.now + pause, counts=counts))
        log.info("doi.postponed", doi=job.key, reason=reason, seconds=pause.total_seconds())
        raise Later(pause, reason)

    async def _all_later(self, kind: str, registrar: Registrar, until: datetime) -> None:
        """Put off everything that waits for this registrar at once: thousands may."""
        async with self._work() as work:
            await work.dois.postpone_all(registrar.prefixes, _LEFT_ALONE, until)
            await work.put_off(kind, _beginnings(registrar), until)
        log.info("doi.all_postponed", registrar=registrar.name, until=until.isoformat())

    async def _save(self, work: Work, doi: Doi) -> None:
        await work.dois.save(doi)
        registrar = self._registrars.of(doi.doi)
        fact = doi.outcome("" if registrar is None else registrar.base_url)
        if fact is not None:
            work.emit(fact, subject=doi.subject, version=doi.version)

    @staticmethod
    async def _locked(work: Work, doi: str) -> Doi:
        found = await work.dois.find(doi, for_update=True)
        assert found is not None, "registrations are never removed"
        return found


def _beginnings(registrar: Registrar) -> list[str]:
    """How the names begin that are the registrar's."""
    return [f"{prefix}/" for prefix in registrar.prefixes]
