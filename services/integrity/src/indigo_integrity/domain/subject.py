"""What a run is about: the promise as the plan has it and the records as they were when it was requested."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from indigo_contracts.dmp import (
    ContentTest,
    MetadataTest,
    PlannedOutput,
    ProcessingTest,
    TestDefinition,
    TestLevel,
)
from indigo_contracts.repository import RecordSnapshot

FIXITY = "fixity"
"""Key of the test that re-reads a record whose plan has no test of level existence (or that has no plan)."""


@dataclass(frozen=True, slots=True)
class Subject:
    """``test`` is a key of ``output.tests``, or ``FIXITY``. ``software`` is there for processing tests only."""

    test: str
    record: RecordSnapshot
    output: PlannedOutput | None = None
    software: RecordSnapshot | None = None

    @property
    def definition(self) -> TestDefinition | None:
        tests = self.output.tests if self.output else []
        return next((each for each in tests if each.key == self.test), None)

    @property
    def level(self) -> TestLevel:
        return self.definition.level if self.definition else TestLevel.EXISTENCE

    @property
    def title(self) -> str:
        definition = self.definition
        return (definition.title if definition else None) or _TITLES[self.level]

    def digest(self) -> str:
        """sha256 of everything the verdict depends on besides the stored bytes.

        The same digest for the same record means that the same test was run before.
        """
        definition = self.definition
        depends: dict[str, Any] = {"test": self.test}
        if definition and self.output:
            depends["definition"] = definition.model_dump(mode="json")
            if isinstance(definition, ContentTest) and self.output.structure:
                depends["structure"] = self.output.structure.model_dump(mode="json")
            if isinstance(definition, MetadataTest):
                depends["promised"] = _described(self.output.model_dump(mode="json"))
                depends["published"] = _described(self.record.model_dump(mode="json"))
        if self.software:
            depends["software"] = [self.software.record_id, self.software.edition]
        text = json.dumps(depends, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def key(self) -> str:
        """Names the run once and for all: what was tested, by which definition."""
        return f"published/{self.record.record_id}/{self.record.edition}/{self.test}/{self.digest()}"


_TITLES = {
    TestLevel.EXISTENCE: "The files are there, unchanged",
    TestLevel.METADATA: "The record says what the plan says",
    TestLevel.CONTENT: "The tables have the planned structure",
    TestLevel.PROCESSING: "The software reproduces the outputs",
}

_METADATA = ("title", "license", "access", "formats", "creators", "language", "keywords")


def _described(document: dict[str, Any]) -> dict[str, Any]:
    return {name: document.get(name) for name in _METADATA}


def subjects_of(
    output: PlannedOutput, record: RecordSnapshot, records: dict[str, RecordSnapshot]
) -> list[Subject]:
    """The tests of ``output`` that can run on its published ``record`` now.

    ``records`` are the published records of the plan by output key; a processing test whose software has none
    is left out, and comes when it has.
    """
    found = []
    for test in output.tests:
        if isinstance(test, ProcessingTest):
            if (software := records.get(test.software)) is not None:
                found.append(Subject(test.key, record, output, software))
        else:
            found.append(Subject(test.key, record, output))
    return found


def fixity_subject(record: RecordSnapshot, output: PlannedOutput | None) -> Subject:
    """The subject of a re-read: the plan's own existence test when it has one, so that its promise turns."""
    tests = output.tests if output else []
    key = next((test.key for test in tests if test.level is TestLevel.EXISTENCE), FIXITY)
    return Subject(key, record, output)
