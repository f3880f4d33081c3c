"""Reads the files of records from the repository over HTTP, and from nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from indigo_qos_gateway.application.ports import FetchFailed
from indigo_qos_gateway.domain.errors import Impossible
from indigo_qos_gateway.domain.placement import is_below


class HttpRecordFiles:
    """Implements ``application.ports.RecordFiles``. Redirects are not followed: they could lead elsewhere."""

    def __init__(self, http: httpx.AsyncClient, repository_url: str) -> None:
        """``http`` sends the service's token, so ``repository_url`` alone may be asked."""
        self._http = http
        self._base = repository_url.rstrip("/")

    async def read(self, url: str) -> AsyncIterator[bytes]:
        if not is_below(url, self._base):
            raise Impossible(f"The file's address is not in the repository: {url[:500]}")
        try:
            # The checksum is of the file itself, not of a compressed transfer.
            async with self._http.stream("GET", url, headers={"accept-encoding": "identity"}) as response:
                if response.status_code != httpx.codes.OK:
                    raise FetchFailed(f"{url} answered {response.status_code}")
                async for chunk in response.aiter_bytes():
                    yield chunk
        except httpx.HTTPError as error:
            raise FetchFailed(f"{url} did not answer in full: {error!r}") from error
