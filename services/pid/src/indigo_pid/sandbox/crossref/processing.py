"""What Crossref makes of a deposit, and the report on it.

Sources: Crossref Metadata Input Schema 5.3.0 (``schema.xsd`` has the part that is used here); messages as they
stand in Crossref's reports.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files

from lxml import etree

from indigo_pid.safexml import UnreadableXml, parse_xml

MAX_BYTES = 10 * 1024 * 1024
"""Of a file: Crossref's limit."""

_NS = "{http://www.crossref.org/schema/5.3.0}"
_TYPES = {"database": "dataset", "report-paper": "report"}


class Unprocessable(Exception):
    """The document as a whole is refused."""


@dataclass(frozen=True, slots=True)
class Work:
    """One DOI as a deposit has it."""

    doi: str
    url: str
    title: str
    type: str


@dataclass(frozen=True, slots=True)
class Deposit:
    """A deposit that can be processed."""

    batch_id: str
    timestamp: Decimal
    works: tuple[Work, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One record of a report."""

    doi: str
    status: str
    message: str


def read_deposit(document: bytes) -> Deposit:
    """Read a document. Raises ``Unprocessable``."""
    try:
        root = parse_xml(document, MAX_BYTES)
    except UnreadableXml as error:
        raise Unprocessable(f"org.crossref.common.xml.MalformedXmlException: {error}") from None
    schema = _schema()
    if not schema.validate(root):
        told = "; ".join(f"Error: {one.message}" for one in list(schema.error_log)[:5])
        raise Unprocessable(f"org.crossref.common.xml.MalformedXmlException: {told}".replace(_NS, ""))
    head = root[0]
    works = []
    for kind in root[1]:
        for data in kind.iter(f"{_NS}doi_data"):
            holder = data.getparent()
            assert holder is not None, "the schema has it below a record"
            works.append(
                Work(
                    doi=(data.findtext(f"{_NS}doi") or "").lower(),
                    url=data.findtext(f"{_NS}resource") or "",
                    title=holder.findtext(f"{_NS}titles/{_NS}title") or "",
                    type=_TYPES[etree.QName(kind).localname],
                )
            )
    prefixes = {work.doi.partition("/")[0] for work in works}
    if len(prefixes) > 1:
        raise Unprocessable(f"All prefixes in a submission must match (DOI[{sorted(prefixes)[1]}])")
    timestamp = Decimal(head.findtext(f"{_NS}timestamp") or "0")
    return Deposit(head.findtext(f"{_NS}doi_batch_id") or "", timestamp, tuple(works))


def judge(deposit: Deposit, known: Mapping[str, Decimal], prefixes: Collection[str]) -> list[Line]:
    """What is said of each record. ``known`` are the timestamps of the DOIs that exist; ``prefixes`` are ours."""
    lines: list[Line] = []
    seen: set[str] = set()
    for work in deposit.works:
        prefix = work.doi.partition("/")[0]
        before = deposit.timestamp if work.doi in seen else known.get(work.doi)
        if prefix not in prefixes:
            lines.append(Line(work.doi, "Failure", f"User not allowed to add records for prefix: {prefix}"))
        elif before is not None and deposit.timestamp <= before:
            message = (
                f"Record not processed because submitted version: {deposit.timestamp} is less or equal to"
                " previously submitted version (DOI match)"
            )
            lines.append(Line(work.doi, "Failure", message))
        else:
            done = "Successfully added" if before is None else "Successfully updated"
            lines.append(Line(work.doi, "Success", done))
            seen.add(work.doi)
    return lines


def report(status: str, submission_id: int, batch_id: str, lines: Iterable[Line] | None = None) -> str:
    """A ``doi_batch_diagnostic``; ``lines`` once it is processed."""
    root = etree.Element("doi_batch_diagnostic", status=status, sp="sandbox")
    etree.SubElement(root, "submission_id").text = str(submission_id)
    etree.SubElement(root, "batch_id").text = batch_id
    if lines is not None:
        told = list(lines)
        for line in told:
            record = etree.SubElement(root, "record_diagnostic", status=line.status)
            etree.SubElement(record, "doi").text = line.doi
            etree.SubElement(record, "msg").text = line.message
        counts = etree.SubElement(root, "batch_data")
        etree.SubElement(counts, "record_count").text = str(len(told))
        for status_name in ("success", "warning", "failure"):
            count = sum(line.status.lower() == status_name for line in told)
            etree.SubElement(counts, f"{status_name}_count").text = str(count)
    return etree.tostring(root, encoding="unicode", pretty_print=True)


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(files(__package__).joinpath("schema.xsd").read_bytes()))
