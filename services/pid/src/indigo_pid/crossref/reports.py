"""Crossref's report on a deposit (``doi_batch_diagnostic``).

Source: reports as Crossref's ``submissionDownload`` gives them. ``unknown_submission`` may be said of a deposit
that was taken and is not in the queue yet. A document that cannot be processed at all has one record without a
DOI.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from indigo_pid.safexml import parse_xml

MAX_BYTES = 16 * 1024 * 1024
_OLDER = "previously submitted version"


class Verdict(StrEnum):
    SUCCESS = "Success"
    WARNING = "Warning"
    """It is registered, and something is odd."""
    FAILURE = "Failure"


@dataclass(frozen=True, slots=True)
class RecordReport:
    """What became of one record; ``doi`` is empty when the document as a whole is meant."""

    doi: str
    verdict: Verdict
    message: str

    @property
    def is_older(self) -> bool:
        """Whether it was refused because Crossref has a deposit of the DOI with the same timestamp or a later."""
        return self.verdict is Verdict.FAILURE and _OLDER in self.message


@dataclass(frozen=True, slots=True)
class Report:
    """A report: ``status`` as Crossref has it (``queued``, ``in_process``, ``completed`` …)."""

    status: str
    records: tuple[RecordReport, ...] = ()

    @property
    def is_complete(self) -> bool:
        return self.status == "completed"

    @property
    def is_unknown(self) -> bool:
        """Whether Crossref does not know the deposit, or does not know it yet."""
        return self.status == "unknown_submission"

    def of(self, doi: str) -> RecordReport | None:
        """What became of ``doi``; what is said of the document as a whole is said of each of its DOIs."""
        whole: RecordReport | None = None
        for one in self.records:
            if one.doi.lower() == doi:
                return one
            if not one.doi and one.verdict is Verdict.FAILURE:
                whole = whole or one
        return whole


def read_report(document: bytes) -> Report:
    """Read a report. Raises ``ValueError`` for what is none."""
    root = parse_xml(document, MAX_BYTES)
    status = root.get("status")
    if root.tag != "doi_batch_diagnostic" or not status:
        raise ValueError("It is no doi_batch_diagnostic")
    return Report(
        status,
        tuple(
            RecordReport(
                doi=(record.findtext("doi") or "").strip(),
                verdict=Verdict(record.get("status", "")),
                message=" ".join((record.findtext("msg") or "").split())[:1000],
            )
            for record in root.iterfind("record_diagnostic")
        ),
    )
