"""Asking a registrar over HTTP: what an answer, or none, means for whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from indigo_kernel.clock import Clock

from indigo_pid.application.ports import RegistrarDown, RegistrarRefused

LONGEST_WAIT = timedelta(hours=1)
"""The longest pause a registrar may ask for."""

Reason = Callable[[httpx.Response], str]
"""Says what an error answer says, in text a database can hold."""


async def ask(
    http: httpx.AsyncClient,
    clock: Clock,
    method: str,
    path: str,
    *,
    try_again: Collection[int],
    reason: Reason,
    **content: Any,
) -> httpx.Response:
    """The answer, 200 or 201.

    Raises ``RegistrarRefused`` for a 4xx that is not in ``try_again`` and ``RegistrarDown`` for everything else,
    without the address: there may be a password in it.
    """
    try:
        response = await http.request(method, path, follow_redirects=False, **content)
    except httpx.TimeoutException as error:
        raise RegistrarDown(f"No answer in time ({type(error).__name__})") from error
    except httpx.HTTPError as error:
        raise RegistrarDown(f"It cannot be reached: {error!r}") from error
    if response.status_code in {200, 201}:
        return response
    told = f"{response.status_code} {reason(response)}"
    if response.is_client_error and response.status_code not in try_again:
        raise RegistrarRefused(told)
    raise RegistrarDown(told, retry_after=_retry_after(response, clock))


def _retry_after(response: httpx.Response, clock: Clock) -> timedelta | None:
    """RFC 9110, 10.2.3."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdecimal():
        wait = timedelta(seconds=min(int(value), LONGEST_WAIT.total_seconds()))
    else:
        try:
            wait = parsedate_to_datetime(value) - clock.now()
        except (ValueError, TypeError):
            return None  # neither seconds nor a date: as good as absent
    return max(timedelta(0), min(wait, LONGEST_WAIT))
