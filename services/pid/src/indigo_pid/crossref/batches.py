"""A deposit: many records under one head, named and numbered so that it can be sent again.

Source: Crossref Metadata Input Schema 5.3.0 (``doi_batch``); Crossref's documentation of ``timestamp``: a number
that grows with every deposit of a DOI, or the deposit is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from indigo_pid.crossref.records import NAMESPACE, NSMAP, VERSION, Kind, qualified

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_LOCATION = f"{NAMESPACE} https://www.crossref.org/schemas/crossref{VERSION}.xsd"


@dataclass(frozen=True, slots=True)
class Depositor:
    """Who deposits, where reports are sent by mail, who owns what is deposited, and the datasets' database."""

    name: str
    email: str
    registrant: str
    database: str


def next_timestamp(now: datetime, last: int) -> int:
    """A timestamp above ``last``: date and time to the hundredth of a second, ``YYYYMMDDhhmmsscc``.

    Sixteen digits, below 2^53, are what a reader that takes it for a floating-point number still tells apart.
    """
    return max(int(f"{now:%Y%m%d%H%M%S}{now.microsecond // 10_000:02}"), last + 1)


def batch_id_of(members: Iterable[tuple[str, int]], timestamp: int) -> str:
    """The ``doi_batch_id`` for DOIs with their revisions: the same for the same at the same time."""
    lines = "\n".join(sorted(f"{doi} {revision}" for doi, revision in members))
    return f"indigo-{timestamp}-{hashlib.sha256(lines.encode()).hexdigest()[:12]}"


def file_name(batch_id: str) -> str:
    """The name of a deposit's file, by which its report is asked for."""
    return f"{batch_id}.xml"


def batch_document(
    kind: Kind, records: Sequence[str], *, batch_id: str, timestamp: int, depositor: Depositor
) -> str:
    """The document that deposits ``records``, all of one ``kind``."""
    root = etree.Element(qualified("doi_batch"), nsmap={**NSMAP, "xsi": _XSI}, version=VERSION)
    root.set(f"{{{_XSI}}}schemaLocation", _LOCATION)
    head = etree.SubElement(root, qualified("head"))
    _text(head, "doi_batch_id", batch_id)
    _text(head, "timestamp", str(timestamp))
    who = etree.SubElement(head, qualified("depositor"))
    _text(who, "depositor_name", depositor.name)
    _text(who, "email_address", depositor.email)
    _text(head, "registrant", depositor.registrant)
    place = etree.SubElement(root, qualified("body"))
    if kind == "database":
        place = etree.SubElement(place, qualified("database"))
        titles = etree.SubElement(etree.SubElement(place, qualified("database_metadata")), qualified("titles"))
        _text(titles, "title", depositor.database)
    for record in records:
        place.append(etree.fromstring(record))
    etree.cleanup_namespaces(root, keep_ns_prefixes=["xsi"])
    return etree.tostring(root, encoding="unicode")


def _text(parent: etree._Element, tag: str, text: str) -> None:
    etree.SubElement(parent, qualified(tag)).text = text
