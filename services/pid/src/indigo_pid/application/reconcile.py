"""Brings a registrar to what is wanted, one DOI at a time, as often as it takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import NoReturn

import structlog
from indigo_kernel.clock import Clock
from indigo_kernel.db.jobs import Later
from indigo_kernel.db.uow import Job

from indigo_pid.application.ports import NewWork, Registrar, RegistrarDown, RegistrarRefused, Remote, Work
from indigo_pid.domain.circuit import Circuit, backoff
from indigo_pid.domain.datacite import problems_of
from indigo_pid.domain.doi import Doi, DoiStatus

log = structlog.get_logger()


class Reconciler:
    """The handler of the jobs of kind ``doi``.

    A request may be repeated any number of times: the name is ours and the registrar replaces what it has.
    So a lost reply, a worker killed half way, or two of them cost a request and nothing else.
    """

    def __init__(self, work: NewWork, registrar: Registrar, clock: Clock, circuit: Circuit) -> None:
        self._work = work
        self._registrar = registrar
        self._clock = clock
        self._circuit = circuit

    async def handle(self, job: Job) -> None:
        """Bring one DOI to what is wanted. Raises ``Later`` when the registrar could not be asked or was ill."""
        async with self._work() as work:
            doi = await work.dois.find(job.key)
        if doi is None:
            raise LookupError(f"no registration of {job.key}")
        if doi.status is not DoiStatus.PENDING:
            return
        if problems := problems_of(doi.doi, dict(doi.attributes)):
            reason = "; ".join(f"{one.pointer}: {one.detail}" for one in problems)
            await self._refused(job, doi, f"The metadata is not complete. {reason}")
            return
        pause = self._circuit.wait(self._clock.now())
        if pause is not None:
            await self._later(
                job, "The registrar does not answer; it is left alone for a while", pause, counts=False
            )
        try:
            remote = await self._bring(doi)
        except RegistrarRefused as refusal:
            self._circuit.succeeded()
            await self._refused(job, doi, refusal.reason)
            return
        except RegistrarDown as down:
            await self._later(job, down.reason, self._pause(doi, down), counts=True)
        self._circuit.succeeded()
        await self._seen(job, doi, remote)

    async def give_up(self, job: Job, error: BaseException) -> None:
        """The worker stops trying because of an error of ours: say so where people look."""
        async with self._work() as work:
            current = await work.dois.find(job.key, for_update=True)
            if current is not None and current.status is DoiStatus.PENDING:
                await self._save(work, current.refused(f"It could not be processed here: {error!r}"))

    async def _bring(self, doi: Doi) -> Remote:
        """Ask; and once more with the right event when the state in the reply shows it was another one before."""
        remote = await self._registrar.put(doi.doi, doi.attributes, doi.event)
        if remote.state is doi.desired:
            return remote
        return await self._registrar.put(doi.doi, doi.attributes, replace(doi, observed_state=remote.state).event)

    def _pause(self, doi: Doi, down: RegistrarDown) -> timedelta:
        now = self._clock.now()
        self._circuit.failed(now)
        pause = backoff(doi.attempts + 1)
        if down.retry_after is None:
            return pause
        self._circuit.asked_to_wait(now + down.retry_after)
        return max(pause, down.retry_after)

    async def _seen(self, job: Job, doi: Doi, remote: Remote) -> None:
        async with self._work() as work:
            current = await self._locked(work, doi.doi)
            if remote.state is doi.desired and remote.resolves:
                await self._save(work, current.seen(remote.state, revision=doi.revision, now=work.now))
                await work.finish(job)
                return
            await work.dois.save(replace(current, observed_state=remote.state, version=current.version + 1))
        if remote.state is doi.desired:
            problem = "The registrar has not written the DOI into the resolver yet"
        else:
            problem = f"The registrar has it in the state {remote.state}, not in {doi.desired}"
        await self._later(job, problem, backoff(doi.attempts + 1), counts=True)

    async def _refused(self, job: Job, doi: Doi, reason: str) -> None:
        async with self._work() as work:
            current = await self._locked(work, doi.doi)
            if current.revision == doi.revision:
                log.warning("doi.refused", doi=doi.doi, reason=reason)
                await self._save(work, current.refused(reason))
            await work.finish(job)

    async def _later(self, job: Job, reason: str, pause: timedelta, *, counts: bool) -> NoReturn:
        async with self._work() as work:
            current = await self._locked(work, job.key)
            await work.dois.save(current.postponed(reason, work.now + pause, counts=counts))
        log.info("doi.postponed", doi=job.key, reason=reason, seconds=pause.total_seconds())
        raise Later(pause, reason)

    async def _save(self, work: Work, doi: Doi) -> None:
        await work.dois.save(doi)
        fact = doi.outcome(self._registrar.base_url)
        if fact is not None:
            work.emit(fact, subject=doi.subject, version=doi.version)

    @staticmethod
    async def _locked(work: Work, doi: str) -> Doi:
        found = await work.dois.find(doi, for_update=True)
        assert found is not None, "registrations are never removed"
        return found
