"""RIS (the format of research information systems), which reference managers import. Lines end in CR LF."""

from __future__ import annotations

import re

from indigo_pid.citation.subject import Subject, abstract, date_of, main_title, name_of
from indigo_pid.datacite.models import Resource
from indigo_pid.datacite.vocabularies import DateType, ResourceType

_TYPES = {
    ResourceType.AUDIOVISUAL: "VIDEO",
    ResourceType.BOOK: "BOOK",
    ResourceType.BOOK_CHAPTER: "CHAP",
    ResourceType.COMPUTATIONAL_NOTEBOOK: "COMP",
    ResourceType.CONFERENCE_PAPER: "CPAPER",
    ResourceType.CONFERENCE_PROCEEDING: "CONF",
    ResourceType.DATASET: "DATA",
    ResourceType.DATA_PAPER: "JOUR",
    ResourceType.DISSERTATION: "THES",
    ResourceType.IMAGE: "FIGURE",
    ResourceType.JOURNAL_ARTICLE: "JOUR",
    ResourceType.OUTPUT_MANAGEMENT_PLAN: "RPRT",
    ResourceType.PREPRINT: "UNPB",
    ResourceType.REPORT: "RPRT",
    ResourceType.SOFTWARE: "COMP",
    ResourceType.SOUND: "SOUND",
    ResourceType.STANDARD: "STAND",
    ResourceType.TEXT: "RPRT",
}


def ris(subject: Subject, resource: Resource) -> str:
    """One reference."""
    tags: list[tuple[str, str | None]] = [
        ("TY", _TYPES.get(resource.types.resource_type_general, "GEN")),
        ("T1", main_title(resource)),
    ]
    for creator in resource.creators:
        name = name_of(creator)
        tags.append(("AU", f"{name.family}, {name.given}" if name.family and name.given else name.literal))
    tags += [
        ("DO", subject.doi),
        ("UR", subject.url),
        ("AB", abstract(resource)),
        *(("KW", one.subject) for one in resource.subjects),
        ("PY", f"{resource.publication_year:04}"),
        ("DA", _date(date_of(resource, DateType.ISSUED))),
        ("PB", resource.publisher.name),
        ("ET", resource.version),
        ("LA", resource.language),
    ]
    lines = [f"{tag}  - {' '.join(value.split())}" for tag, value in tags if value]
    return "\r\n".join([*lines, "ER  - ", ""])


def _date(text: str | None) -> str | None:
    """``YYYY/MM/DD/`` as RIS has it."""
    match = re.match(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?", text or "")
    return "/".join(part or "" for part in match.groups()) + "/" if match else None
