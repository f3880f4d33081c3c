"""One test on one record, whatever its level."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from indigo_contracts.dmp import TestLevel

from indigo_integrity.application.levels.base import Tools
from indigo_integrity.application.levels.content import run_content
from indigo_integrity.application.levels.existence import run_existence
from indigo_integrity.application.levels.metadata import run_metadata
from indigo_integrity.application.levels.processing import run_processing
from indigo_integrity.domain.outcome import Outcome
from indigo_integrity.domain.subject import Subject

_LEVELS: dict[TestLevel, Callable[[Subject, Tools], Awaitable[Outcome]]] = {
    TestLevel.EXISTENCE: run_existence,
    TestLevel.METADATA: run_metadata,
    TestLevel.CONTENT: run_content,
    TestLevel.PROCESSING: run_processing,
}


async def run_test(subject: Subject, tools: Tools) -> Outcome:
    """Carry out the test. Raises ``Trouble`` when the infrastructure is in the way: try again later."""
    return await _LEVELS[subject.level](subject, tools)
