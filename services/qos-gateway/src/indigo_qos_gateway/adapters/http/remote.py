"""One storage system behind HTTP: what it answers badly, late or not at all becomes an error callers know."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

import httpx
from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.domain.errors import ObjectNotFound

SECONDS = 30.0
"""How long one answer may take; a body that flows may take longer."""


class Remote:
    """Requests to one system. ``name`` is that of the back-end, for messages. Redirects are not followed."""

    def __init__(
        self,
        name: str,
        *,
        auth: httpx.Auth | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self.name = name
        self._http = httpx.AsyncClient(auth=auth, transport=transport, timeout=seconds)

    async def send(
        self, method: str, url: str, *, path: str | None = None, also: Collection[int] = (), **request: Any
    ) -> httpx.Response:
        """The answer, when it is a success or one of ``also``.

        Raises ``ObjectNotFound`` for a 404 when ``path`` says what was asked for, else ``Unavailable``.
        """
        try:
            response = await self._http.request(method, url, **request)
        except httpx.HTTPError as error:
            raise self._silent(error) from error
        self._check(response, path, also)
        return response

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, path: str | None = None, also: Collection[int] = (), **request: Any
    ) -> AsyncIterator[httpx.Response]:
        """The same with a body that is read in the block."""
        try:
            async with self._http.stream(method, url, **request) as response:
                if not response.is_success:
                    await response.aread()
                self._check(response, path, also)
                yield response
        except httpx.HTTPError as error:
            raise self._silent(error) from error

    async def close(self) -> None:
        await self._http.aclose()

    def document(self, response: httpx.Response) -> dict[str, Any]:
        """The JSON object of an answer. Raises ``Unavailable`` for anything else."""
        found = self.json(response)
        if not isinstance(found, dict):
            raise self.strange(response)
        return found

    def json(self, response: httpx.Response) -> Any:
        """The JSON of an answer. Raises ``Unavailable`` when it is none."""
        try:
            return response.json()
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise self.strange(response) from None

    def strange(self, response: httpx.Response) -> Unavailable:
        """The error for an answer nobody can make sense of."""
        return Unavailable(
            f"{self.name} answered {response.status_code} to {response.request.method} with something unexpected"
        )

    def _check(self, response: httpx.Response, path: str | None, also: Collection[int]) -> None:
        if response.is_success or response.status_code in also:
            return
        if response.status_code == httpx.codes.NOT_FOUND and path is not None:
            raise ObjectNotFound(path)
        if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise Unavailable(f"{self.name} does not accept the gateway's credentials")
        retry = response.headers.get("retry-after")
        raise Unavailable(
            f"{self.name} answered {response.status_code} to {response.request.method}",
            headers={"retry-after": retry} if retry else None,
        )

    def _silent(self, error: httpx.HTTPError) -> Unavailable:
        return Unavailable(f"{self.name} did not answer: {type(error).__name__}")
