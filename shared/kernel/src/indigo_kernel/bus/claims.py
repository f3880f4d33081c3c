"""Redeeming claim checks: the data of an event too large for the wire, read from the service that states it."""

from __future__ import annotations

import json
from typing import Any

import httpx

from indigo_kernel.bus.ports import PermanentError, TransientError

MOST_BYTES = 64 * 1024 * 1024
"""An event's data is a snapshot, not a file."""


async def redeem(url: str) -> dict[str, Any]:
    """The data ``dataref`` leads to.

    No credentials are sent: the event's id in the address is what gives the right to read. Raises
    ``TransientError`` when the service cannot be reached now, ``PermanentError`` when it has no such data.
    """
    try:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http, http.stream("GET", url) as response:
            if response.status_code in {404, 410}:
                raise PermanentError(f"{url} answered {response.status_code}")
            response.raise_for_status()
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise PermanentError(f"{url} has more than {MOST_BYTES} bytes")
            answer = json.loads(bytes(body))
    except ValueError as error:
        raise PermanentError(f"{url} is not JSON") from error
    except httpx.HTTPError as error:
        raise TransientError(f"{url} cannot be read now: {error!r}") from error
    if not isinstance(answer, dict):
        raise PermanentError(f"{url} is not a JSON object")
    return answer
