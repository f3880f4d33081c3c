"""Level 1: the record is there, its files are, and the bytes read from storage are the deposited ones."""

from __future__ import annotations

from indigo_contracts.dmp import ExistenceTest
from indigo_contracts.integrity import DamagedFile, Finding, Verdict

from indigo_integrity.application.levels.base import Tools, damage_finding, judge
from indigo_integrity.domain.outcome import Outcome, error
from indigo_integrity.domain.subject import Subject


async def run_existence(subject: Subject, tools: Tools) -> Outcome:
    """Read every byte of every file and compare with what was recorded when it was deposited.

    Raises ``Trouble`` when the repository cannot be asked.
    """
    record = subject.record
    if not await tools.source.exists(record.record_id):
        finding = error("record-missing", "the repository does not know the record", record=record.record_id)
        return Outcome(Verdict.FAIL, "The record is not there", [finding])
    findings: list[Finding] = []
    damaged: list[DamagedFile] = []
    read_bytes = 0
    for file in record.files:
        observed = await tools.source.read(record.record_id, file)
        read_bytes += observed.size or 0
        if wrong := judge(file, observed):
            damaged.append(wrong)
            findings.append(damage_finding(file, observed, wrong))
    findings += _promised(subject)
    counts = {"files": len(record.files), "damaged": len(damaged), "bytes": read_bytes}
    if findings:
        summary = _named(damaged) if damaged else "The record does not have what the plan lists"
        return Outcome(Verdict.FAIL, summary, findings, counts, damaged=damaged)
    summary = f"{len(record.files)} files, {read_bytes} bytes read back, all unchanged"
    return Outcome(Verdict.PASS, summary, [], counts)


def _named(damaged: list[DamagedFile]) -> str:
    """The damage in a sentence that names a file: it is what people see first."""
    first, others = damaged[0], len(damaged) - 1
    more = f", and {others} more" if others else ""
    return f"{first.file} is {first.problem}{more}"


def _promised(subject: Subject) -> list[Finding]:
    """What the plan lists besides the record's own files."""
    definition = subject.definition
    record = subject.record
    if not isinstance(definition, ExistenceTest):
        return []
    keys = {file.key for file in record.files}
    findings = [
        error("file-missing", "the plan lists this file, the record does not have it", file=key)
        for key in dict.fromkeys(definition.files)
        if key not in keys
    ]
    total = sum(file.size for file in record.files)
    if definition.min_bytes is not None and total < definition.min_bytes:
        findings.append(
            Finding(
                code="too-small",
                severity="error",
                message="the record holds fewer bytes than the plan says",
                expected=definition.min_bytes,
                observed=total,
            )
        )
    return findings
