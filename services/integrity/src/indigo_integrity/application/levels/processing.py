"""Level 4: the software runs on the dataset and reproduces the outputs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from indigo_contracts.dmp import ExpectedOutput, Limits, ProcessingTest
from indigo_contracts.integrity import Finding, Verdict

from indigo_integrity.application.levels.base import Tools, download, unsafe_keys
from indigo_integrity.application.ports import Execution
from indigo_integrity.domain.compare_csv import Unreadable, compare_csv
from indigo_integrity.domain.compare_json import compare_json
from indigo_integrity.domain.comparison import (
    MAX_COMPARED_BYTES,
    Comparison,
    Grade,
    Tolerance,
    compare_digest,
    sha256,
)
from indigo_integrity.domain.outcome import Outcome, cannot_tell, error, not_applicable
from indigo_integrity.domain.subject import Subject

_TAIL = 2000
"""Characters of a program's last words in a finding; evidence has more."""

_LISTED = 100
"""Outputs listed in evidence, which travels in events."""

_SIGXCPU, _SIGKILL, _SIGXFSZ = 152, 137, 153
_NOT_FOUND = 127


async def run_processing(subject: Subject, tools: Tools) -> Outcome:
    """Run the command in the sandbox and compare what it leaves with what the plan expects.

    Raises ``Trouble`` when the repository cannot be asked or the sandbox does not start.
    """
    definition = subject.definition
    assert isinstance(definition, ProcessingTest)
    software = subject.software
    if software is None:
        return not_applicable("The software is not published")
    if over := _over(definition.limits, tools.caps):
        message = "The test asks for more than the operator allows: " + ", ".join(over)
        return cannot_tell("limit-exceeds-cap", message, caps=tools.caps.model_dump())
    total = sum(file.size for record in (subject.record, software) for file in record.files)
    if total > tools.max_download_bytes:
        message = f"The inputs have {total} bytes; the operator allows {tools.max_download_bytes}"
        return cannot_tell("too-large", message)
    async with tools.workspaces.fresh() as workspace:
        data, programs, outputs = (workspace / name for name in ("input", "software", "output"))
        for directory in (data, programs, outputs):
            directory.mkdir(mode=0o755)
        findings: list[Finding] = []
        for record, place in ((subject.record, data), (software, programs)):
            findings += unsafe_keys(record.files) or await download(tools, record, record.files, place)
        if findings:
            return Outcome(Verdict.FAIL, "The inputs are not as deposited", findings)
        execution = await tools.executor.run(
            definition.command, data=data, software=programs, outputs=outputs, limits=definition.limits
        )
        evidence = _evidence(definition, execution, tools)
        findings = _ended(execution, definition.limits)
        if findings:
            return Outcome(Verdict.FAIL, findings[0].message, findings, evidence=evidence)
        return await asyncio.to_thread(_judge, definition, execution, evidence, data, programs, outputs)


def _over(limits: Limits, caps: Limits) -> list[str]:
    allowed = caps.model_dump()
    return [
        f"{name} {asked} > {allowed[name]}" for name, asked in limits.model_dump().items() if asked > allowed[name]
    ]


def _evidence(definition: ProcessingTest, execution: Execution, tools: Tools) -> dict[str, Any]:
    return {
        "executor": tools.executor.name,
        "isolation": tools.executor.isolation,
        "command": definition.command,
        "limits": definition.limits.model_dump(),
        "exit_code": execution.exit_code,
        "stopped": execution.stopped,
        "wall_seconds": execution.wall_seconds,
        "peak_memory_bytes": execution.peak_memory_bytes,
        "stdout": execution.stdout.decode(errors="replace")[-_TAIL:],
        "stderr": execution.stderr.decode(errors="replace")[-_TAIL:],
        "stdout_bytes": execution.stdout_bytes,
        "stderr_bytes": execution.stderr_bytes,
    }


def _ended(execution: Execution, limits: Limits) -> list[Finding]:
    """Why the command did not end well; nothing when it did."""
    last_words = execution.stderr.decode(errors="replace")[-_TAIL:].strip()
    code = execution.exit_code
    if execution.stopped == "wall":
        message = f"The command was stopped after {limits.wall_seconds} seconds"
        return [_stop("wall-limit", message, limits.wall_seconds, execution.wall_seconds)]
    if execution.stopped == "memory":
        message = f"The command was stopped: it used more than {limits.memory_mb} MiB of memory"
        return [_stop("memory-limit", message, limits.memory_mb << 20, execution.peak_memory_bytes)]
    if code == _SIGXCPU or (code == _SIGKILL and execution.wall_seconds >= limits.cpu_seconds):
        message = f"The command was stopped: it used more than {limits.cpu_seconds} seconds of CPU"
        return [_stop("cpu-limit", message, limits.cpu_seconds, None)]
    if code == _SIGXFSZ:
        message = f"The command was stopped: it wrote a file of more than {limits.disk_mb} MiB"
        return [_stop("disk-limit", message, limits.disk_mb << 20, None)]
    if code == _NOT_FOUND:
        return [_stop("command-not-found", "The command is not there", None, last_words)]
    if code != 0:
        message = f"The command ended with exit code {code}"
        return [_stop("exit-code", message, 0, {"exit_code": code, "stderr": last_words})]
    return []


def _stop(code: str, message: str, expected: Any, observed: Any) -> Finding:
    return Finding(code=code, severity="error", message=message, expected=expected, observed=observed)


def _judge(
    definition: ProcessingTest,
    execution: Execution,
    evidence: dict[str, Any],
    data: Path,
    software: Path,
    outputs: Path,
) -> Outcome:
    findings: list[Finding] = []
    manifest: list[dict[str, Any]] = []
    worst = Grade.BYTE_IDENTICAL
    rejected = dict(execution.rejected)
    for expected in definition.outputs:
        reference = _reference(expected, data, software)
        found, comparison = _compare(expected, outputs / expected.path, reference, rejected)
        findings += found
        grade = comparison.grade if comparison else Grade.DIFFERENT
        worst = max(worst, grade)
        manifest.append(_line(expected, outputs / expected.path, grade, comparison))
    evidence |= {"outputs": manifest[:_LISTED], "grade": worst.label, "rejected": execution.rejected}
    expected_paths = {each.path for each in definition.outputs}
    findings += [
        Finding(
            code="output-rejected",
            severity="info",
            message=f"an output that nobody expects was left out: {reason}",
            location={"output": path},
        )
        for path, reason in execution.rejected
        if path not in expected_paths
    ]
    bad = [finding for finding in findings if finding.severity == "error"]
    counts = {"outputs": len(definition.outputs), "different": sum(m["grade"] == "different" for m in manifest)}
    if bad:
        return Outcome(
            Verdict.FAIL,
            f"{counts['different']} of {counts['outputs']} outputs differ",
            findings,
            counts,
            evidence,
        )
    summary = f"{counts['outputs']} outputs reproduced, {worst.label}"
    return Outcome(Verdict.PASS, summary, findings, counts, evidence)


def _reference(expected: ExpectedOutput, data: Path, software: Path) -> Path | None:
    """The file an output is compared with: of the dataset's record, or else of the software's."""
    if expected.reference is None:
        return None
    places = [directory / expected.reference for directory in (data, software)]
    return next((place for place in places if place.is_file()), places[0])


def _compare(
    expected: ExpectedOutput, output: Path, reference: Path | None, rejected: dict[str, str]
) -> tuple[list[Finding], Comparison | None]:
    if not output.is_file():
        reason = rejected.get(expected.path)
        if reason:
            message = f"the output is not usable: {reason}"
            return [error("output-not-a-file", message, output=expected.path)], None
        return [error("output-missing", "the command did not write this output", output=expected.path)], None
    if reference is not None and not reference.is_file():
        message = f"the reference {expected.reference} is neither in the dataset nor in the software"
        return [error("reference-missing", message, output=expected.path)], None
    try:
        result = _by_kind(expected, output, reference)
    except Unreadable as reason:
        return [error("output-unreadable", str(reason), output=expected.path)], None
    return _different(expected, result), result


def _by_kind(expected: ExpectedOutput, output: Path, reference: Path | None) -> Comparison:
    if expected.compare == "exists":
        return Comparison(checked=1)
    observed = sha256(output)
    wanted = expected.sha256 or (sha256(reference) if reference else "")
    if expected.compare == "digest" or observed == wanted or reference is None:
        return compare_digest(wanted, observed)
    if max(output.stat().st_size, reference.stat().st_size) > MAX_COMPARED_BYTES:
        raise Unreadable(f"larger than {MAX_COMPARED_BYTES} bytes, and not the same bytes as the reference")
    tolerance = Tolerance(expected.rtol, expected.atol)
    if expected.compare == "csv":
        return compare_csv(reference, output, key=expected.key, ignore=expected.ignore, tolerance=tolerance)
    return compare_json(reference, output, ignore=expected.ignore, tolerance=tolerance)


def _different(expected: ExpectedOutput, result: Comparison) -> list[Finding]:
    """The first differences one by one; the count of the last stands for those that are not told."""
    left = result.different - len(result.differences)
    return [
        Finding(
            code="output-different",
            severity="error",
            message=each.message,
            location={"output": expected.path, **each.where},
            expected=each.expected,
            observed=each.observed,
            count=1 + (left if each is result.differences[-1] else 0),
        )
        for each in result.differences
    ]


def _line(expected: ExpectedOutput, output: Path, grade: Grade, result: Comparison | None) -> dict[str, Any]:
    line: dict[str, Any] = {"path": expected.path, "compare": expected.compare, "grade": grade.label}
    if output.is_file():
        line |= {"size": output.stat().st_size, "sha256": sha256(output)}
    if result:
        line |= {
            "checked": result.checked,
            "different": result.different,
            "normalizations": sorted(result.normalizations),
        }
    return line
