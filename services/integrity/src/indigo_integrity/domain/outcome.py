"""How a test came out, before anyone stores or tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from indigo_contracts.integrity import DamagedFile, Finding, Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict with everything that was seen. ``damaged`` are files whose stored bytes are not the deposited."""

    verdict: Verdict
    summary: str
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    damaged: list[DamagedFile] = field(default_factory=list)


def error(code: str, message: str, **location: str | int) -> Finding:
    """A finding that makes a test fail."""
    return Finding(code=code, severity="error", message=message, location=location)


def cannot_tell(code: str, message: str, **evidence: Any) -> Outcome:
    """The test could not be carried out for a reason that is not trouble of the moment."""
    finding = Finding(code=code, severity="warning", message=message)
    return Outcome(Verdict.INDETERMINATE, message, [finding], evidence=evidence)


def not_applicable(message: str) -> Outcome:
    return Outcome(Verdict.NOT_APPLICABLE, message)
