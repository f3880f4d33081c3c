"""Deposits what waits, and asks what became of it.

A batch is a row with its document before it is sent, so a worker that is killed between sending and the answer
leaves behind what it was doing: the next one asks for the report of that very file first, and sends the same bytes
again only when Crossref does not know it. Should both arrive, the second is refused for its timestamp and changes
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

import structlog
from indigo_kernel.db.jobs import Later
from indigo_kernel.db.uow import Job

from indigo_pid.adapters.crossref.client import CrossrefClient
from indigo_pid.adapters.db.deposits import Batch, Deposit, DepositWork, NewDepositWork, Outcome
from indigo_pid.application.dois import JOB as DOI_JOB
from indigo_pid.application.ports import RegistrarDown, RegistrarRefused
from indigo_pid.crossref.batches import Depositor as Who
from indigo_pid.crossref.batches import batch_document, batch_id_of, next_timestamp
from indigo_pid.crossref.records import Kind
from indigo_pid.crossref.reports import RecordReport, Report, Verdict
from indigo_pid.domain.circuit import backoff

log = structlog.get_logger()

JOB = "crossref"
"""Kind of the jobs that work off a lane; the key is the lane."""

MOST_RECORDS = 100
MOST_CHARACTERS = 4_000_000
"""Of the records of a batch: a file may have 10 MB at Crossref."""

FIRST_LOOK = timedelta(seconds=5)
LONGEST_LOOK = timedelta(minutes=5)
"""Pauses between two looks at the report: the first, doubled each time, and the longest. So soon it is known, too,
that Crossref is back."""

PATIENCE = timedelta(hours=1)
"""How long Crossref may not know a file it has received before it is sent again."""


def lane_of(doi: str, kind: Kind) -> str:
    """What may be deposited together: Crossref mixes neither prefixes nor content types in a deposit."""
    return f"{doi.partition('/')[0]} {kind}"


class Depositor:
    """The handler of the jobs of kind ``crossref``: one at a time for each lane."""

    def __init__(self, work: NewDepositWork, client: CrossrefClient, who: Who) -> None:
        self._work = work
        self._client = client
        self._who = who

    async def handle(self, job: Job) -> None:
        """Send what waits and look at what was sent. Raises ``Later`` while anything is under way."""
        try:
            await self._send_all(job.key)
            async with self._work() as work:
                sent = [one for one in await work.deposits.batches(job.key) if one.next_at <= work.now]
            for batch in sent:
                await self._look(batch)
            await self._send_all(job.key)  # what a report said to try again
            away = False
        except RegistrarDown as down:
            log.info("crossref.postponed", lane=job.key, reason=down.reason)
            away = True
        async with self._work() as work:
            # While Crossref is away those that are due wait as well: one request at a time shows when it is back.
            left = [one.next_at for one in await work.deposits.batches(job.key)]
            due = [one for one in left if one > work.now] if away else left
            if left:
                raise Later(max(min(due or [work.now]) - work.now, timedelta(0)))

    async def give_up(self, job: Job, error: BaseException) -> None:
        """The worker stops trying because of an error of ours: say so of every DOI in the lane."""
        reason = f"It could not be deposited here: {error!r}"
        async with self._work() as work:
            for batch in await work.deposits.batches(job.key):
                for deposit in await work.deposits.of_batch(batch.batch_id):
                    await _end(work, replace(deposit, outcome=Outcome.REFUSED, message=reason))
                await work.deposits.end(batch)
            for deposit in await work.deposits.waiting(job.key, limit=None):
                await _end(work, replace(deposit, outcome=Outcome.REFUSED, message=reason))

    async def _send_all(self, lane: str) -> None:
        while (batch := await self._to_send(lane)) is not None:
            await self._send(batch)

    async def _to_send(self, lane: str) -> Batch | None:
        """The batch to send now: the one that did not arrive yet, or a new one out of what waits.

        There is one at most that did not arrive: while Crossref is away records wait for the next one.
        """
        async with self._work() as work:
            under_way = await work.deposits.batches(lane)
            stuck = next((one for one in under_way if one.accepted_at is None), None)
            if stuck is not None:
                return stuck if stuck.next_at <= work.now else None
            chosen = _together(await work.deposits.waiting(lane, limit=MOST_RECORDS))
            return await self._form(work, lane, chosen) if chosen else None

    async def _form(self, work: DepositWork, lane: str, chosen: Sequence[Deposit]) -> Batch:
        timestamp = next_timestamp(work.now, await work.deposits.last_timestamp())
        batch_id = batch_id_of([(one.doi, one.revision) for one in chosen], timestamp)
        document = batch_document(
            cast(Kind, lane.partition(" ")[2]),
            [one.record or "" for one in chosen],
            batch_id=batch_id,
            timestamp=timestamp,
            depositor=self._who,
        )
        batch = Batch(batch_id, lane, timestamp, next_at=work.now)
        await work.deposits.add_batch(batch, document)
        await work.deposits.put_into(batch, chosen)
        return batch

    async def _send(self, batch: Batch) -> None:
        """Send a batch; one that may have been sent before only if Crossref does not know it."""
        if batch.sends:
            report = await self._report(batch)
            if not report.is_unknown:
                await self._arrived(batch, f"Crossref has it, {report.status}")
                return
        begun = replace(batch, sends=batch.sends + 1)
        async with self._work() as work:
            document = await work.deposits.document(batch)
            await work.deposits.save_batch(begun)
        try:
            await self._client.deposit(batch.batch_id, document)
        except RegistrarRefused as refusal:
            whole = RecordReport("", Verdict.FAILURE, refusal.reason)
            await self._settle(begun, Report("completed", (whole,)))
            return
        except RegistrarDown as down:
            await self._failed(begun, down)
            raise
        await self._arrived(begun, "Crossref has received it")

    async def _report(self, batch: Batch) -> Report:
        """The report on a batch. Raises ``RegistrarDown`` also when it is refused: it is not about the DOIs."""
        try:
            return await self._client.report(batch.batch_id)
        except RegistrarRefused as refusal:
            down = RegistrarDown(refusal.reason)
        except RegistrarDown as error:
            down = error
        await self._failed(batch, down)
        raise down

    async def _look(self, batch: Batch) -> None:
        report = await self._report(batch)
        if report.is_complete:
            await self._settle(batch, report)
            return
        async with self._work() as work:
            pause = min(FIRST_LOOK * 2 ** min(batch.polls, 10), LONGEST_LOOK)
            seen = replace(
                batch,
                polls=batch.polls + 1,
                failures=0,
                standing=f"Crossref has it, {report.status}",
                next_at=work.now + pause,
            )
            if report.is_unknown and batch.accepted_at is not None and work.now - batch.accepted_at > PATIENCE:
                seen = replace(
                    seen, accepted_at=None, standing="Crossref lost it; it is sent again", next_at=work.now
                )
            await work.deposits.save_batch(seen)

    async def _arrived(self, batch: Batch, standing: str) -> None:
        async with self._work() as work:
            arrived = replace(
                batch, accepted_at=work.now, failures=0, standing=standing, next_at=work.now + FIRST_LOOK
            )
            await work.deposits.save_batch(arrived)

    async def _failed(self, batch: Batch, down: RegistrarDown) -> None:
        async with self._work() as work:
            pause = max(min(backoff(batch.failures + 1), LONGEST_LOOK), down.retry_after or timedelta(0))
            failed = replace(batch, failures=batch.failures + 1, standing=down.reason, next_at=work.now + pause)
            await work.deposits.save_batch(failed)

    async def _settle(self, batch: Batch, report: Report) -> None:
        """Note what became of each DOI whose newest record is in the batch, and wake those who wait for it."""
        async with self._work() as work:
            members = await work.deposits.of_batch(batch.batch_id)
            for deposit in members:
                became = settled(deposit, report.of(deposit.doi), batch, len(members))
                if became.outcome is None:
                    await work.deposits.save(became)
                else:
                    await _end(work, became)
            await work.deposits.end(batch)
        log.info("crossref.settled", batch=batch.batch_id, dois=len(members))


async def _end(work: DepositWork, deposit: Deposit) -> None:
    """Store an outcome, and wake who waits for it."""
    await work.deposits.save(replace(deposit, record=None))
    await work.enqueue(DOI_JOB, deposit.doi, {})


def _together(waiting: Sequence[Deposit]) -> Sequence[Deposit]:
    """As many of those that wait as one batch may have."""
    chosen: list[Deposit] = []
    room = MOST_CHARACTERS
    for one in waiting:
        room -= len(one.record or "")
        if chosen and (room < 0 or len(chosen) >= chosen[0].most):
            break
        chosen.append(one)
    return chosen


def settled(deposit: Deposit, told: RecordReport | None, batch: Batch, members: int) -> Deposit:
    """The deposit with its outcome, or waiting again."""
    if told is None:
        reason = f"Crossref's report on {batch.batch_id} does not mention it"
        return replace(deposit, outcome=Outcome.REFUSED, message=reason)
    if told.verdict is not Verdict.FAILURE:
        warning = told.message if told.verdict is Verdict.WARNING else None
        return replace(deposit, outcome=Outcome.REGISTERED, message=warning)
    if told.is_older and batch.sends > 1:
        # Refused because of itself: it arrived twice. Deposited anew, whatever is there is what is wanted.
        return replace(deposit, batch_id=None)
    if not told.doi and members > 1:
        # The document was refused, because of one of its records: smaller ones show which.
        return replace(deposit, batch_id=None, most=max(1, members // 2))
    return replace(deposit, outcome=Outcome.REFUSED, message=told.message or "no reason was given")
