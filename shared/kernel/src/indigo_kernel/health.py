"""Is this process alive, and can it take work? Asked and answered as the Kubernetes API server does.

``/livez`` and ``/readyz`` say ``ok`` with 200, or which check failed with 503; ``?verbose`` lists every check,
``?exclude=<name>`` leaves one out, ``/readyz/<name>`` asks a single one. Reasons go to the log only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import structlog
from starlette.responses import PlainTextResponse, Response

Check = Callable[[], Awaitable[object]]
"""Passes by returning, fails by raising."""

Probe = Literal["livez", "readyz"]

PROBES: dict[str, Probe] = {"livez": "livez", "readyz": "readyz"}
"""The first path segment → the probe."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Named:
    name: str
    check: Check
    seconds: float
    live: bool


async def _ping() -> None:
    """The event loop turns, or nobody would see this pass."""


class HealthChecks:
    """The checks of one service, asked all at once, each with its own time limit."""

    def __init__(self) -> None:
        self._checks: list[_Named] = [_Named("ping", _ping, 1.0, live=True)]

    def add(self, name: str, check: Check, *, seconds: float = 2.0, live: bool = False) -> None:
        """Register ``check``, which fails when it raises or takes longer than ``seconds``.

        Every check counts for readiness; ``live=True`` for liveness too: only where a restart would help.
        """
        if any(one.name == name for one in self._checks):
            raise ValueError(f"There is a health check named {name} already")
        self._checks.append(_Named(name, check, seconds, live))

    async def answer(
        self, probe: Probe, *, only: str | None = None, verbose: bool = False, exclude: Sequence[str] = ()
    ) -> Response:
        """Run the checks of ``probe`` and tell the outcome as text: 200, 503, or 404 for an unknown ``only``."""
        checks = [one for one in self._checks if probe == "readyz" or one.live]
        if only is not None:
            checks = [one for one in checks if one.name == only]
            if not checks:
                return PlainTextResponse("404 page not found\n", 404)
        asked = [one for one in checks if one.name not in exclude]
        passed = dict(zip([one.name for one in asked], await asyncio.gather(*map(_run, asked)), strict=True))
        lines = [_line(one.name, passed.get(one.name)) for one in checks]
        unknown = [name for name in exclude if name not in {one.name for one in checks}]
        if unknown:
            named = ", ".join(f'"{_printable(name)}"' for name in unknown)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {named}")
        healthy = all(passed.values())
        if healthy and not verbose:
            return _text("ok", 200)
        lines.append(f"{probe} check {'passed' if healthy else 'failed'}")
        return _text("\n".join(lines) + "\n", 200 if healthy else 503)


async def _run(one: _Named) -> bool:
    try:
        async with asyncio.timeout(one.seconds):
            await one.check()
    except Exception as error:  # noqa: BLE001 - whatever a check raises is its way of failing
        _log.warning("health.failed", check=one.name, error=repr(error))
        return False
    return True


def _line(name: str, passed: bool | None) -> str:
    if passed is None:
        return f"[+]{name} excluded: ok"
    return f"[+]{name} ok" if passed else f"[-]{name} failed: reason withheld"


def _printable(name: str) -> str:
    return "".join(character for character in name[:80] if character.isalnum() or character in "-_.")


def _text(content: str, status: int) -> Response:
    return PlainTextResponse(content, status, headers={"cache-control": "no-store"})
