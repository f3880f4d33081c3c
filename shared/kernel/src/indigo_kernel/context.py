"""What travels with a piece of work: trace, correlation and cause, from HTTP through the outbox to AMQP.

Sources: W3C Trace Context (``traceparent``); CloudEvents correlation extension.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class WorkContext:
    """``correlation_id`` names the whole story, ``causation_id`` the event or request that led here."""

    trace_id: str
    span_id: str
    sampled: bool = True
    correlation_id: str | None = None
    causation_id: str | None = None

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"

    def child(self, **changes: str | None) -> WorkContext:
        """The same trace with a new span."""
        return replace(self, span_id=os.urandom(8).hex(), **changes)  # type: ignore[arg-type]


def new_context(traceparent: str | None = None, **fields: str | None) -> WorkContext:
    """A context that continues ``traceparent`` when it is valid, and starts a trace when it is not."""
    fresh = os.urandom(24).hex()  # one question to the kernel for both ids
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if match and int(match[1], 16) and int(match[2], 16):
        trace_id, sampled = match[1], bool(int(match[3], 16) & 1)
    else:
        trace_id, sampled = fresh[:32], True
    return WorkContext(trace_id, fresh[32:], sampled, **fields)


_current: ContextVar[WorkContext | None] = ContextVar("indigo_work_context", default=None)


def current() -> WorkContext:
    """The context of the running work; a fresh one outside of any."""
    return _current.get() or new_context()


def enter(context: WorkContext) -> None:
    """Make ``context`` the current one for this task and what it starts."""
    _current.set(context)


def entered() -> WorkContext | None:
    """The context of the running work; ``None`` outside of any."""
    return _current.get()


@contextmanager
def within(context: WorkContext) -> Iterator[WorkContext]:
    """Make ``context`` the current one for the block, and the one before it again afterwards."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
