"""BibTeX entries (btxdoc; ``doi``, ``url``, ``version`` as in the biblatex manual)."""

from __future__ import annotations

import re

from indigo_pid.citation.subject import Subject, date_of, main_title, name_of
from indigo_pid.datacite.models import Resource
from indigo_pid.datacite.vocabularies import DateType, ResourceType

_TYPES = {
    ResourceType.BOOK: "book",
    ResourceType.BOOK_CHAPTER: "inbook",
    ResourceType.CONFERENCE_PAPER: "inproceedings",
    ResourceType.CONFERENCE_PROCEEDING: "proceedings",
    ResourceType.DATA_PAPER: "article",
    ResourceType.DISSERTATION: "phdthesis",
    ResourceType.JOURNAL_ARTICLE: "article",
    ResourceType.OUTPUT_MANAGEMENT_PLAN: "techreport",
    ResourceType.REPORT: "techreport",
}

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "{": r"\textbraceleft{}",  # BibTeX counts braces, escaped or not
    "}": r"\textbraceright{}",
    **{char: f"\\{char}" for char in "%&#$_"},
}
_SEPARATOR = re.compile(r",|\band\b", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def bibtex(subject: Subject, resource: Resource) -> str:
    """One entry. Names of organizations and the title are in braces of their own: nothing takes them apart."""
    kind = _TYPES.get(resource.types.resource_type_general, "misc")
    fields = {
        "author": " and ".join(
            _author(one.family, one.given, one.literal) for one in map(name_of, resource.creators)
        ),
        "title": f"{{{_text(main_title(resource))}}}",
        "publisher": _text(resource.publisher.name),
        "year": str(resource.publication_year),
        "version": _text(resource.version or ""),
        "keywords": ", ".join(_text(one.subject) for one in resource.subjects),
        "copyright": _text(next((one.rights or one.rights_uri or "" for one in resource.rights_list), "")),
        "doi": _verbatim(subject.doi or ""),
        "url": _verbatim(subject.url),
    }
    if kind == "techreport":
        fields["institution"] = fields.pop("publisher")
    if kind == "misc" and resource.types.resource_type:
        fields["howpublished"] = _text(resource.types.resource_type)
    told = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    issued = re.match(r"\d{4}-(\d\d)", date_of(resource, DateType.ISSUED) or "")
    if issued and 1 <= int(issued[1]) <= len(_MONTHS):
        told.append(f"  month = {_MONTHS[int(issued[1]) - 1]}")
    return f"@{kind}{{{_key(subject)},\n" + ",\n".join(told) + "\n}\n"


def _key(subject: Subject) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", subject.doi or subject.handle)


def _author(family: str | None, given: str | None, literal: str) -> str:
    whole = f"{{{_text(literal if family is None else family)}}}"
    if family is None or not given:
        return whole
    # Braces keep a name whole, but also from being made into initials: only where it would be taken apart.
    return f"{whole}, {{{_text(given)}}}" if _SEPARATOR.search(given) else f"{whole}, {_text(given)}"


def _text(text: str) -> str:
    return "".join(_SPECIAL.get(char, char) for char in text)


def _verbatim(text: str) -> str:
    """An address: read as it is, so that only what would break the entry is escaped, as in a URI."""
    return text.replace("\\", "%5C").replace("{", "%7B").replace("}", "%7D")
