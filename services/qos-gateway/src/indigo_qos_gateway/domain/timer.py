"""When an object has to be looked at again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Due(StrEnum):
    """What is due then."""

    LIFETIME = "lifetime"
    """Its time in its class is over."""

    CHOICE = "choice"
    """Its age may ask for another class."""


@dataclass(frozen=True, slots=True)
class Timer:
    """One for each object that has any; ``storage_class`` is where it was when the timer was set."""

    path: str
    storage_class: str
    due_at: datetime
    due: Due
