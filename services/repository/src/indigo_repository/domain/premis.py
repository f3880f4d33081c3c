"""What happened to a record and its files, in the words of PREMIS 3 (Data Dictionary, section 2: Events)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

Outcome = Literal["success", "failure", "warning"]


class EventType(StrEnum):
    """Codes of id.loc.gov/vocabulary/preservation/eventType that occur here."""

    INGESTION = "ing"
    METADATA_MODIFICATION = "mem"
    MESSAGE_DIGEST_CALCULATION = "mes"
    FIXITY_CHECK = "fix"
    VALIDATION = "val"
    REPLICATION = "rep"
    DEACCESSION = "dea"

    @property
    def uri(self) -> str:
        return f"http://id.loc.gov/vocabulary/preservation/eventType/{self.value}"

    @property
    def label(self) -> str:
        return self.name.replace("_", " ").lower()


@dataclass(frozen=True, slots=True)
class PreservationEvent:
    """``agent`` is the URL of a service, or an issuer and a subject; ``files`` are keys, empty for the record."""

    record_id: str
    type: EventType
    at: datetime
    outcome: Outcome
    summary: str
    agent: str
    files: tuple[str, ...] = ()
    detail: dict[str, Any] = field(default_factory=dict)
    id: int | None = None
