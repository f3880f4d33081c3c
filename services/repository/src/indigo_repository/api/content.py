"""Bytes of a file as an answer: ranges, validators, and nothing a browser would run."""

from __future__ import annotations

import asyncio
import base64
import os
import re
from pathlib import Path

from fastapi import Request, Response
from indigo_kernel.etag import not_modified
from starlette.responses import FileResponse

from indigo_repository.domain.errors import StorageFault
from indigo_repository.domain.files import File

_RANGE = re.compile(r"(\d*)-(\d*)")
_MOST_RANGES = 16


async def send_content(request: Request, file: File, path: Path) -> Response:
    """Stream a file from the disk (RFC 9110 ranges and conditions; ``Repr-Digest`` of RFC 9530).

    Raises ``StorageFault`` when the storage does not have it, or not all of it.
    """
    assert file.sha256 is not None
    tag = f'"{file.sha256}"'
    unchanged = not_modified(request, tag)
    if unchanged is not None:
        return unchanged
    try:
        found = await asyncio.to_thread(os.stat, path)
    except OSError as error:
        raise StorageFault(f"The storage does not give {file.key!r} back now") from error
    if found.st_size != file.size:
        raise StorageFault(f"The storage has {found.st_size} bytes of {file.key!r}, {file.size} were deposited")
    if not _usable(request.headers.get("range")):
        request.scope["headers"] = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
    digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
    return FileResponse(
        path,
        stat_result=found,
        media_type=file.mimetype,
        filename=file.key.rpartition("/")[2],
        content_disposition_type="attachment",
        headers={
            "etag": tag,
            "repr-digest": f"sha-256=:{digest}:",
            "content-security-policy": "sandbox; default-src 'none'",
        },
    )


def _usable(ranges: str | None) -> bool:
    """Whether a ``Range`` is well-formed; one that is not is ignored (RFC 9110, section 14.2), like very many."""
    unit, _, spec = (ranges or "").partition("=")
    parts = [part.strip() for part in spec.split(",")]
    if unit.strip().lower() != "bytes" or len(parts) > _MOST_RANGES:
        return False
    for part in parts:
        match = _RANGE.fullmatch(part)
        if match is None or not (match[1] or match[2]):
            return False
        if match[1] and match[2] and int(match[1]) > int(match[2]):
            return False
    return True
