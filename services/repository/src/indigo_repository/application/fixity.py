"""Fixity checks: read every preserved file again and say what is not as it was deposited."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import datetime

from indigo_contracts.repository import FileCorrupted, FileRepaired, RecordState
from indigo_kernel.problems import Conflict

from indigo_repository.application.ports import Preservation
from indigo_repository.application.snapshots import subject
from indigo_repository.application.work import OpenWork, Work
from indigo_repository.domain.files import Damage, File
from indigo_repository.domain.premis import EventType, PreservationEvent
from indigo_repository.domain.record import Record
from indigo_repository.domain.site import Site

JOB = "verify"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Checked:
    """One file as it was read: ``problem`` is None when its bytes are those that were deposited."""

    file: str
    expected_sha256: str
    observed_sha256: str | None
    problem: Damage | None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """A whole check of a record: its files, and what makes its object in the store invalid."""

    record_id: str
    checked_at: datetime
    files: list[Checked]
    object_problems: list[str]


async def verify_record(
    record_id: str, open_work: OpenWork, store: Preservation, site: Site, *, agent: str
) -> Verification:
    """Read every file of a published or withdrawn record from the store and note the outcome.

    Files newly found damaged are stated as corrupted, files found good again as repaired.
    Raises ``Conflict`` for a draft.
    """
    async with open_work() as work:
        record = await work.records.get(record_id)
        if record.state is RecordState.DRAFT:
            raise Conflict("A draft has no preserved files")
        files = await work.files.of(record_id)
    checks = [await asyncio.to_thread(_check, store, record.object_id, file) for file in files]
    problems = await asyncio.to_thread(store.problems, record.object_id)
    async with open_work() as work:
        await _note(work, record_id, checks, problems, site, agent)
        return Verification(record_id, work.now, checks, problems)


def _check(store: Preservation, object_id: str, file: File) -> Checked:
    assert file.content_path is not None
    assert file.sha256 is not None
    digest = hashlib.sha256()
    try:
        with store.open(object_id, file.content_path) as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        return Checked(file.key, file.sha256, None, "missing")
    except OSError as error:
        return Checked(file.key, file.sha256, None, "unreadable", error.strerror)
    observed = digest.hexdigest()
    return Checked(file.key, file.sha256, observed, None if observed == file.sha256 else "changed")


async def _note(
    work: Work, record_id: str, checks: list[Checked], problems: list[str], site: Site, agent: str
) -> None:
    record = await work.records.get(record_id, lock=True)
    known = {file.key: file.damage for file in await work.files.of(record_id)}
    await work.files.checked(record_id, {check.file: check.problem for check in checks}, work.now)
    await work.events.add(*_events(record, checks, problems, work.now, agent))
    for check in checks:
        before = known.get(check.file)
        if check.problem is None and before is not None:
            record = record.changed(work.now)
            fact: FileCorrupted | FileRepaired = FileRepaired(
                record_id=record.id,
                plan=record.plan,
                file=check.file,
                expected_sha256=check.expected_sha256,
                source=site.base_url,
            )
        elif check.problem is not None and check.problem != before:
            record = record.changed(work.now)
            fact = FileCorrupted(
                record_id=record.id,
                plan=record.plan,
                file=check.file,
                expected_sha256=check.expected_sha256,
                problem=check.problem,
                observed_sha256=check.observed_sha256,
            )
        else:
            continue
        work.emit(fact, subject=subject(record.id), version=record.version)
    await work.records.save(record)


def _events(
    record: Record, checks: list[Checked], problems: list[str], now: datetime, agent: str
) -> list[PreservationEvent]:
    """One event per damaged file, one for all that are good, one for an invalid object."""
    events = []
    for check in checks:
        if check.problem is not None:
            detail = {"expected_sha256": check.expected_sha256, "observed_sha256": check.observed_sha256}
            summary = f"{check.file} is {check.problem}" + (f": {check.detail}" if check.detail else "")
            events.append(
                PreservationEvent(
                    record.id, EventType.FIXITY_CHECK, now, "failure", summary, agent, (check.file,), detail
                )
            )
    good = tuple(check.file for check in checks if check.problem is None)
    if good:
        summary = f"{len(good)} files read back, each with its recorded sha256"
        events.append(PreservationEvent(record.id, EventType.FIXITY_CHECK, now, "success", summary, agent, good))
    if problems:
        summary = "The object in the preservation store is not valid"
        events.append(
            PreservationEvent(
                record.id, EventType.VALIDATION, now, "failure", summary, agent, detail={"problems": problems[:50]}
            )
        )
    return events
