"""The latest result of each test of a record, for its page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TestResult:
    """``verdict`` is a word of ``indigo_contracts.integrity.Verdict``."""

    __test__ = False  # not a pytest class

    record_id: str
    test: str
    run_id: str
    level: str
    title: str
    verdict: str
    summary: str | None
    finished_at: datetime
    report_url: str
