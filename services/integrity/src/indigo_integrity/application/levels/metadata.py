"""Level 2: the record says what the plan says."""

from __future__ import annotations

from indigo_contracts.dmp import MetadataTest
from indigo_contracts.integrity import Verdict

from indigo_integrity.application.levels.base import Tools
from indigo_integrity.domain.outcome import Outcome, not_applicable
from indigo_integrity.domain.plan_match import differences
from indigo_integrity.domain.subject import Subject


async def run_metadata(subject: Subject, tools: Tools) -> Outcome:  # noqa: ARG001 - every level is called alike
    """Compare the plan's words with the record's, property by property."""
    definition = subject.definition
    assert isinstance(definition, MetadataTest)
    assert subject.output is not None
    findings, compared = differences(subject.output, subject.record, list(definition.properties))
    counts = {"properties": compared, "different": len({each.location["property"] for each in findings})}
    if findings:
        names = ", ".join(dict.fromkeys(str(each.location["property"]) for each in findings))
        return Outcome(Verdict.FAIL, f"The record differs from the plan: {names}", findings, counts)
    if not compared:
        return not_applicable("The plan says nothing about these properties")
    return Outcome(Verdict.PASS, f"{compared} properties agree with the plan", [], counts)
