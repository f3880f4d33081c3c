"""Crossref behind the port of a registrar.

Nothing is sent here: the record is put where the depositor finds it, and the answer is how far that is. Crossref
cannot hide a DOI; one that is to be hidden leads to its tombstone, and its title says that it is withdrawn.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import timedelta

from indigo_contracts.problems import FieldError

from indigo_pid.adapters.crossref.client import CrossrefClient
from indigo_pid.adapters.crossref.depositor import JOB, MOST_RECORDS, lane_of
from indigo_pid.adapters.db.deposits import Deposit, DepositWork, NewDepositWork, Outcome
from indigo_pid.application.ports import Reached, RegistrarRefused, RemoteDoi, Underway
from indigo_pid.crossref.records import problems_for_crossref, record_of
from indigo_pid.domain.datacite import problems_of
from indigo_pid.domain.doi import Doi, DoiState

GATHER = timedelta(seconds=2)
"""How long a record waits for others that go into the same deposit."""

NOT_HIDDEN = "Crossref cannot hide a DOI: it leads to the tombstone, and the title says that it is withdrawn"

_SLACK = timedelta(seconds=5)
"""The depositor wakes those who wait; this long after its next look somebody asks on his own."""


class Crossref:
    """Implements ``application.ports.Registrar``. ``lag`` is that of the REST API behind the deposits."""

    name = "crossref"
    interval = timedelta(0)
    """Nothing is sent here."""

    def __init__(
        self, work: NewDepositWork, client: CrossrefClient, prefixes: Collection[str], *, lag: timedelta
    ) -> None:
        self._work = work
        self._client = client
        self._prefixes = frozenset(prefixes)
        self._lag = lag

    @property
    def lag(self) -> timedelta:
        return self._lag

    @property
    def base_url(self) -> str:
        return self._client.base_url

    @property
    def prefixes(self) -> Collection[str]:
        return self._prefixes

    def problems(self, doi: Doi) -> Sequence[FieldError]:
        return problems_of(doi.doi, doi.attributes) or problems_for_crossref(doi.attributes)

    async def bring(self, doi: Doi) -> Reached | Underway:
        async with self._work() as work:
            deposit = await work.deposits.find(doi.doi)
            if deposit is None or deposit.revision < doi.revision:
                deposit = await self._hand_in(work, doi, None if deposit is None else deposit.timestamp)
            if deposit.outcome is None:
                return await _under_way(work, deposit)
        if deposit.outcome is Outcome.REFUSED:
            raise RegistrarRefused(deposit.message or "Crossref gave no reason")
        return Reached(_note(doi, deposit))

    async def listed(self) -> AsyncIterator[Sequence[RemoteDoi]]:
        for prefix in sorted(self._prefixes):
            async for page in self._client.works(prefix):
                yield page

    @staticmethod
    async def _hand_in(work: DepositWork, doi: Doi, last: int | None) -> Deposit:
        """Let the record wait for the next deposit; ``last`` is the timestamp of the one before."""
        record = record_of(doi.doi, doi.attributes, withdrawn=doi.desired is DoiState.REGISTERED)
        lane = lane_of(doi.doi, record.kind)
        deposit = Deposit(doi.doi, doi.revision, lane, record.xml, MOST_RECORDS, timestamp=last)
        await work.deposits.save(deposit)
        await work.enqueue(JOB, lane, {}, run_at=work.now + GATHER)
        return deposit


async def _under_way(work: DepositWork, deposit: Deposit) -> Underway:
    batch = None if deposit.batch_id is None else await work.deposits.batch(deposit.batch_id)
    if batch is not None:
        after = max(batch.next_at - work.now, timedelta(0)) + _SLACK
        return Underway(f"Deposit {batch.batch_id}: {batch.standing}", after=after, failed=batch.failures > 0)
    before = next((one for one in await work.deposits.batches(deposit.lane) if one.accepted_at is None), None)
    if before is None:
        return Underway("It waits for the next deposit", after=GATHER + _SLACK)
    after = max(before.next_at - work.now, timedelta(0)) + GATHER + _SLACK
    reason = f"It waits for the next deposit; the one before: {before.standing}"
    return Underway(reason, after=after, failed=before.failures > 0)


def _note(doi: Doi, deposit: Deposit) -> str | None:
    notes = [NOT_HIDDEN] if doi.desired is DoiState.REGISTERED else []
    if deposit.message:
        notes.append(f"Crossref warns: {deposit.message}")
    return "; ".join(notes) or None
