"""The repository over HTTP: whether a record is there, and every byte of its files."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
from indigo_contracts.repository import RecordFile

from indigo_integrity.application.ports import Observed, Trouble

_GONE = {httpx.codes.NOT_FOUND, httpx.codes.GONE}
_NOT_NOW = {401, 403, 429, 502, 503, 504}
"""Answers that say nothing about the file: not allowed in, come back later."""

_STORAGE_FAULT = "storage-fault"
"""What the repository's problem document says in ``reason`` when the trouble is with one file."""

_API = "/api/"


class HttpRecords:
    """``application.ports.RecordSource``. ``client`` has the repository's base URL and our token."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def exists(self, record_id: str) -> bool:
        try:
            response = await self._client.get(f"api/records/{quote(record_id, safe='')}")
        except httpx.HTTPError as error:
            raise Trouble(f"the repository cannot be reached: {error!r}") from error
        if response.status_code in _GONE:
            return False
        if response.status_code != httpx.codes.OK:
            raise Trouble(f"the repository answered {response.status_code} for record {record_id}")
        return True

    async def read(self, record_id: str, file: RecordFile, *, to: Path | None = None) -> Observed:
        observed = await self._read(file, to)
        if observed.state == "unreadable" and not await self.exists(record_id):
            return Observed("missing")
        return observed  # a repository that does answer for the record has trouble with this file, not with us

    async def _read(self, file: RecordFile, to: Path | None) -> Observed:
        try:
            # the bytes as they are stored, not compressed for the way
            plain = {"accept-encoding": "identity"}
            async with self._client.stream("GET", _path(file.url), headers=plain) as response:
                if response.status_code in _GONE:
                    return Observed("missing")
                if await _storage_fault(response):
                    return Observed("unreadable", reason="the repository's storage does not give it back whole")
                if response.status_code in _NOT_NOW:
                    raise Trouble(f"the repository answered {response.status_code} for {file.key}")
                if response.status_code != httpx.codes.OK:
                    return Observed("unreadable", reason=f"the repository answered {response.status_code}")
                return await _digest(response, to)
        except httpx.HTTPError as error:
            return Observed("unreadable", reason=f"reading broke off: {error!r}")


async def _storage_fault(response: httpx.Response) -> bool:
    """Whether the repository is well, and says that its storage lost or cut this one file."""
    if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
        return False
    try:
        problem = json.loads(await response.aread())
    except ValueError:
        return False  # not the repository's own answer: something in between has no way to it
    return isinstance(problem, dict) and problem.get("reason") == _STORAGE_FAULT


def _path(url: str) -> str:
    """A file's address below the client's base URL: our token goes to the repository and nowhere else."""
    parts = urlsplit(url)
    start = parts.path.find(_API)
    if start < 0:
        raise Trouble(f"{url} is no address of the repository's API")
    return parts.path[start + 1 :] + (f"?{parts.query}" if parts.query else "")


async def _digest(response: httpx.Response, to: Path | None) -> Observed:
    digest = hashlib.sha256()
    size = 0
    target = to.open("wb") if to else None
    try:
        async for chunk in response.aiter_bytes():
            await asyncio.to_thread(digest.update, chunk)
            size += len(chunk)
            if target:
                await asyncio.to_thread(target.write, chunk)
    finally:
        if target:
            target.close()
    return Observed("read", digest.hexdigest(), size)
