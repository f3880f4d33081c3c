"""Files of a draft: announce, receive, commit, delete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

from indigo_kernel.auth.principal import Principal
from indigo_kernel.problems import ChecksumMismatch, Conflict, TooLarge

from indigo_repository.application.access import draft_for_writing
from indigo_repository.application.ports import Digests, Staging, Upload
from indigo_repository.application.work import OpenWork, Work
from indigo_repository.domain.files import File, FileState, guess_type, new_keys
from indigo_repository.domain.premis import EventType, PreservationEvent
from indigo_repository.domain.record import Record

_BATCH = 4 * 1024 * 1024
"""Bytes handed to a thread at once: a hop per network chunk costs more than the hashing."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Largest file and record in bytes, and most files of a record."""

    max_files: int
    max_file_bytes: int
    max_record_bytes: int


async def announce_files(
    work: Work, record_id: str, names: list[str], limits: Limits, who: Principal
) -> list[File]:
    """Add files without content to a draft."""
    record = await draft_for_writing(work, record_id, who)
    there = [file.key for file in await work.files.of(record_id)]
    files = [
        File(record_id, key, FileState.PENDING, guess_type(key), work.now)
        for key in new_keys(names, there, limits.max_files)
    ]
    await work.files.add(files)
    await _touch(work, record)
    return files


async def receive_content(
    open_work: OpenWork,
    staging: Staging,
    limits: Limits,
    record_id: str,
    key: str,
    who: Principal,
    chunks: AsyncIterator[bytes],
    *,
    announced: int | None,
    expected: Mapping[str, str],
) -> File:
    """Stream the content of an announced file to the staging area.

    ``announced`` is the length the client says; ``expected`` maps ``md5``, ``sha256``, ``sha512`` to hex digests.
    The file has its new content when this returns, and is what it was before when this raises: ``TooLarge``,
    ``ChecksumMismatch``, ``StorageFull``, or whatever ``chunks`` raises when the client goes away.
    """
    async with open_work() as work:
        most = await _room_for(work, record_id, key, limits, who)
    if announced is not None and announced > most:
        raise _too_large(most)
    upload = await asyncio.to_thread(staging.receive)
    try:
        digests = await _receive(upload, chunks, most)
    except BaseException:
        upload.discard()
        raise
    try:
        _compare(digests, expected)
        async with open_work() as work:
            file, replaced = await _attach(work, record_id, key, who, upload.blob, digests)
    except BaseException:
        staging.remove(upload.blob)
        raise
    if replaced is not None:
        await asyncio.to_thread(staging.remove, replaced)
    return file


async def commit_file(work: Work, record_id: str, key: str, who: Principal) -> File:
    """Declare the content of a file complete. Committing again changes nothing."""
    record = await draft_for_writing(work, record_id, who)
    file = await work.files.get(record_id, key)
    if file.state is FileState.PENDING:
        raise Conflict(f"{file.key!r} has no content yet: the upload was not begun or was cut off")
    if file.state is FileState.COMPLETED:
        return file
    file = replace(file, state=FileState.COMPLETED)
    await work.files.save(file)
    await work.events.add(
        PreservationEvent(
            record_id,
            EventType.MESSAGE_DIGEST_CALCULATION,
            work.now,
            "success",
            "Checksums taken while the file was received",
            f"{who.iss}#{who.sub}",
            (file.key,),
            {"size": file.size, "sha512": file.sha512, "sha256": file.sha256, "md5": file.md5},
        )
    )
    await _touch(work, record)
    return file


async def delete_file(work: Work, record_id: str, key: str, who: Principal) -> str | None:
    """Take a file out of a draft. The name of its staged blob, to remove after the commit."""
    record = await draft_for_writing(work, record_id, who)
    file = await work.files.get(record_id, key)
    await work.files.remove(record_id, file.key)
    await _touch(work, record)
    return file.blob


async def _touch(work: Work, record: Record) -> None:
    await work.records.save(record.changed(work.now, prefilled=False))


async def _room_for(work: Work, record_id: str, key: str, limits: Limits, who: Principal) -> int:
    """How many bytes the content may have. Raises ``Conflict`` for a file that is complete."""
    await draft_for_writing(work, record_id, who)
    file = await work.files.get(record_id, key)
    _must_be_open(file)
    _, used = (await work.files.totals([record_id])).get(record_id, (0, 0))
    return min(limits.max_file_bytes, limits.max_record_bytes - used + (file.size or 0))


def _must_be_open(file: File) -> None:
    if file.state is FileState.COMPLETED:
        raise Conflict(f"{file.key!r} is committed; delete it to send other content")


async def _receive(upload: Upload, chunks: AsyncIterator[bytes], most: int) -> Digests:
    batch, size = bytearray(), 0
    async for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        batch += chunk
        if len(batch) >= _BATCH:
            await asyncio.to_thread(upload.write, bytes(batch))
            batch.clear()
    await asyncio.to_thread(upload.write, bytes(batch))
    return await asyncio.to_thread(upload.finish)


def _too_large(most: int) -> TooLarge:
    # The rest of the body is not read, so the connection cannot be used again.
    return TooLarge(
        f"The file may have {most} bytes at most", headers={"connection": "close"}, max_bytes=max(most, 0)
    )


def _compare(digests: Digests, expected: Mapping[str, str]) -> None:
    for algorithm, digest in expected.items():
        actual = getattr(digests, algorithm)
        if actual != digest:
            raise ChecksumMismatch(
                f"The {algorithm} of the received bytes is {actual}, {digest} was announced",
                algorithm=algorithm,
                expected=digest,
                observed=actual,
            )


async def _attach(
    work: Work, record_id: str, key: str, who: Principal, blob: str, digests: Digests
) -> tuple[File, str | None]:
    record = await draft_for_writing(work, record_id, who)
    file = await work.files.get(record_id, key)
    _must_be_open(file)
    attached = replace(
        file,
        state=FileState.UPLOADED,
        blob=blob,
        size=digests.size,
        sha512=digests.sha512,
        sha256=digests.sha256,
        md5=digests.md5,
    )
    await work.files.save(attached)
    await _touch(work, record)
    return attached, file.blob
