"""Bodies of requests."""

from __future__ import annotations

from typing import Annotated

from indigo_contracts.integrity import RunSnapshot
from indigo_contracts.text import Key
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

RecordId = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class RunRequest(BaseModel):
    """Which record to test, and by which of the plan's tests; by all of them when ``test`` is absent."""

    model_config = ConfigDict(extra="forbid")

    record_id: RecordId
    test: Key | None = None


class FixityRequest(BaseModel):
    """Which record's files to read back now."""

    model_config = ConfigDict(extra="forbid")

    record_id: RecordId


class RunList(BaseModel):
    """The runs that were queued."""

    runs: list[RunSnapshot] = Field(min_length=1)
