"""What every level of test works with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from indigo_contracts.dmp import Limits
from indigo_contracts.integrity import DamagedFile, Finding
from indigo_contracts.repository import RecordFile, RecordSnapshot

from indigo_integrity.application.ports import Executor, Observed, RecordSource, TableValidator, Workspaces
from indigo_integrity.domain.outcome import error


@dataclass(frozen=True, slots=True)
class Tools:
    """The outside world of the tests. ``caps`` is what a plan may ask for at most."""

    source: RecordSource
    workspaces: Workspaces
    tables: TableValidator
    executor: Executor
    caps: Limits
    max_download_bytes: int


def judge(file: RecordFile, observed: Observed) -> DamagedFile | None:
    """What is wrong with a file that was read back, if anything."""
    if observed.state != "read":
        return DamagedFile(file=file.key, problem=observed.state, expected_sha256=file.sha256)
    if observed.sha256 != file.sha256 or observed.size != file.size:
        return DamagedFile(
            file=file.key, problem="changed", expected_sha256=file.sha256, observed_sha256=observed.sha256
        )
    return None


def damage_finding(file: RecordFile, observed: Observed, damaged: DamagedFile) -> Finding:
    """Codes ``file-missing``, ``file-unreadable``, ``file-changed``."""
    messages = {
        "missing": "the file is gone",
        "unreadable": f"the file cannot be read: {observed.reason}",
        "changed": "the bytes are not those that were deposited",
    }
    return Finding(
        code=f"file-{damaged.problem}",
        severity="error",
        message=messages[damaged.problem],
        location={"file": file.key},
        expected={"sha256": file.sha256, "size": file.size},
        observed={"sha256": observed.sha256, "size": observed.size} if observed.state == "read" else None,
    )


async def download(
    tools: Tools, record: RecordSnapshot, files: Sequence[RecordFile], directory: Path
) -> list[Finding]:
    """Bring files to ``directory`` under their keys; a finding for each that is not what was deposited."""
    findings = []
    for file in files:
        place = directory / file.key
        place.parent.mkdir(parents=True, exist_ok=True)
        observed = await tools.source.read(record.record_id, file, to=place)
        if damaged := judge(file, observed):
            findings.append(damage_finding(file, observed, damaged))
    return findings


def unsafe_keys(files: Sequence[RecordFile]) -> list[Finding]:
    """Keys that cannot all be files of one directory: one is a directory of another."""
    keys = {file.key for file in files}
    return [
        error("file-name", "the name is both a file and a directory", file=key)
        for key in sorted(keys)
        if any(str(parent) in keys for parent in Path(key).parents)
    ]
