"""Level 3: the tables have the structure the plan gives them (Data Package 2.0, Table Schema)."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

from indigo_contracts.dmp import ContentTest
from indigo_contracts.integrity import Verdict
from indigo_contracts.repository import RecordFile
from indigo_contracts.structure import TableSpec

from indigo_integrity.application.levels.base import Tools, download, unsafe_keys
from indigo_integrity.application.ports import TableFiles
from indigo_integrity.domain.outcome import Outcome, cannot_tell, not_applicable
from indigo_integrity.domain.subject import Subject


async def run_content(subject: Subject, tools: Tools) -> Outcome:
    """Download the tables' files, verify their checksums, and validate every row.

    Raises ``Trouble`` when the repository cannot be asked or the engine fails.
    """
    definition = subject.definition
    assert isinstance(definition, ContentTest)
    structure = subject.output.structure if subject.output else None
    if structure is None or not structure.tables:
        return not_applicable("The plan gives no table structure")
    checked = definition.tables or [table.name for table in structure.tables]
    tables = _needed(structure.tables, checked)
    files = {spec.name: [each for each in subject.record.files if matches(spec.path, each.key)] for spec in tables}
    wanted = list({file.key: file for group in files.values() for file in group}.values())
    total = sum(file.size for file in wanted)
    if total > tools.max_download_bytes:
        message = f"The tables have {total} bytes; the operator allows {tools.max_download_bytes}"
        return cannot_tell("too-large", message)
    async with tools.workspaces.fresh() as workspace:
        place = workspace / "files"
        findings = unsafe_keys(wanted) or await download(tools, subject.record, wanted, place)
        if findings:
            return Outcome(Verdict.FAIL, "The tables' files are not as deposited", findings, {"tables": 0})
        report = await tools.tables.validate(
            [TableFiles(spec, _located(files[spec.name], place)) for spec in tables], checked, workspace
        )
    errors = Counter[str]()
    for finding in report.findings:
        if finding.severity == "error":
            errors[finding.code] += finding.count
    total_errors = sum(errors.values())
    counts = {"tables": len(checked), "rows": sum(report.rows.values()), "errors": total_errors, **errors}
    if total_errors > errors["schema-error"]:
        kinds = ", ".join(f"{count} {code}" for code, count in errors.most_common(5))
        return Outcome(Verdict.FAIL, f"{total_errors} errors: {kinds}", report.findings, counts)
    if errors["schema-error"]:
        message = "The plan's structure has definitions that cannot be tested"
        return Outcome(Verdict.INDETERMINATE, message, report.findings, counts)
    if not report.complete:
        message = "The validation was stopped at the operator's limit before it found an error"
        return Outcome(Verdict.INDETERMINATE, message, report.findings, counts)
    summary = f"{counts['rows']} rows in {len(checked)} tables are as planned"
    return Outcome(Verdict.PASS, summary, report.findings, counts)


def matches(pattern: str, key: str) -> bool:
    """Whether a file's key is meant by a table's path: ``*`` and ``?`` match within one segment."""
    wanted, there = pattern.split("/"), key.split("/")
    return len(wanted) == len(there) and all(
        fnmatchcase(segment, one.replace("[", "[[]")) for one, segment in zip(wanted, there, strict=True)
    )


def _needed(tables: list[TableSpec], checked: list[str]) -> list[TableSpec]:
    """The tables to check and those their foreign keys look into."""
    names = set(checked)
    for table in tables:
        if table.name in checked:
            names |= {foreign.table for foreign in table.foreign_keys}
    return [table for table in tables if table.name in names]


def _located(files: list[RecordFile], directory: Path) -> list[tuple[str, Path]]:
    return [(file.key, directory / file.key) for file in sorted(files, key=lambda each: each.key)]
