"""A copy, a move or a removal of an object or a container, from the request to its end.

COPYING → COPIED → what is left of the source is removed → over. A copy ends with COPYING, a removal begins with
COPIED. What failed is kept until its target is removed, so that the target can tell why it is not complete
(CDMI 1.1.1, clause 9.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from indigo_contracts.envelope import Actor


class TransferKind(StrEnum):
    COPY = "copy"
    MOVE = "move"
    DELETE = "delete"


class TransferStage(StrEnum):
    COPYING = "copying"
    """Objects come one by one; the source is untouched."""

    COPIED = "copied"
    """Of a move: everything is at the target, with the identities of the source, which is nobody's any more.

    Of a removal: it was checked that it may go.
    """

    FAILED = "failed"
    """It was given up; the source is untouched, and the target has what had come until then."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """``wish`` is what the request said of the new object or container; ``actor`` is who asked.

    ``done`` of ``total`` objects and containers are there.
    """

    id: str
    kind: TransferKind
    source: str
    path: str
    wish: Mapping[str, Any]
    actor: Actor | None
    total: int
    done: int = 0
    stage: TransferStage = TransferStage.COPYING
    error: str | None = None

    @property
    def status(self) -> str:
        """CDMI's ``completionStatus``."""
        return f"Error: {self.error}" if self.stage is TransferStage.FAILED else "Processing"

    @property
    def percent(self) -> int:
        """CDMI's ``percentComplete``; 100 is for what is over."""
        return min(99, 100 * self.done // self.total) if self.total else 0
