"""Typed links of a landing page (FAIR Signposting Profile, level 1) and its schema.org description."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from indigo_contracts.repository import RecordKind

from indigo_repository.domain.files import File
from indigo_repository.domain.record import Record
from indigo_repository.domain.site import Site

MOST_LINKS = 20
"""Authors, and files, above which their links are left out: proxies refuse long headers."""

_TYPES = {
    RecordKind.DATASET: "Dataset",
    RecordKind.SOFTWARE: "SoftwareSourceCode",
    RecordKind.DMP: "DigitalDocument",
    RecordKind.ANALYSIS: "Dataset",
}


def persistent_url(record: Record) -> str | None:
    """The address to cite: the DOI's, else the handle's; None before an identifier is known."""
    ids = record.identifiers
    if ids.doi:
        return f"https://doi.org/{ids.doi}"
    return f"https://hdl.handle.net/{ids.handle}" if ids.handle else None


def link_header(record: Record, files: Sequence[File], site: Site) -> str:
    """Value of ``Link`` (RFC 8288); ``files`` are those the reader may fetch."""
    landing, api = site.landing(record.id), site.api(record.id)
    links: list[tuple[str, str, str | None]] = []
    if cite_as := persistent_url(record):
        links.append((cite_as, "cite-as", None))
    links.append(("https://schema.org/AboutPage", "type", None))
    links.append((f"https://schema.org/{_TYPES[record.kind]}", "type", None))
    if record.metadata.license:
        links.append((record.metadata.license, "license", None))
    authors = [person.identifier for person in record.metadata.creators if person.identifier]
    if len(authors) <= MOST_LINKS:
        links.extend((author, "author", None) for author in authors)
    links.append((api, "describedby", "application/json"))
    links.append((landing, "describedby", "application/ld+json"))
    if len(files) <= MOST_LINKS:
        links.extend((site.content(record.id, file.key), "item", file.mimetype) for file in files)
    return ", ".join(
        f'<{_target(url)}>; rel="{rel}"' + (f'; type="{kind}"' if kind else "") for url, rel, kind in links
    )


def _target(url: str) -> str:
    """A URI that cannot end its brackets; what is not ASCII was escaped when it was stored or made."""
    return "".join(char if char.isascii() and char not in '<>" \r\n' else "" for char in url)


def schema_org(record: Record, files: Sequence[File], site: Site) -> dict[str, Any]:
    """The record as schema.org JSON-LD; the context is inline, so that nobody has to fetch it."""
    meta = record.metadata
    cite_as = persistent_url(record)
    described = {
        "@context": {"@vocab": "https://schema.org/"},
        "@type": _TYPES[record.kind],
        "@id": cite_as or site.landing(record.id),
        "url": site.landing(record.id),
        "name": meta.title,
        "description": meta.description,
        "identifier": [value for value in (cite_as, record.identifiers.ark) if value],
        "creator": [
            {"@type": "Person", "name": person.name} | ({"@id": person.identifier} if person.identifier else {})
            for person in meta.creators
        ],
        "publisher": {"@type": "Organization", "name": meta.publisher or site.publisher},
        "datePublished": meta.publication_date and meta.publication_date.isoformat(),
        "dateModified": record.updated_at.isoformat(),
        "version": str(record.edition),
        "inLanguage": meta.language,
        "keywords": list(meta.keywords),
        "license": meta.license,
        "isAccessibleForFree": meta.access == "open",
        "distribution": [
            {
                "@type": "DataDownload",
                "name": file.key,
                "contentUrl": site.content(record.id, file.key),
                "encodingFormat": file.mimetype,
                "contentSize": str(file.size),
                "sha256": file.sha256,
            }
            for file in files
        ],
    }
    return {key: value for key, value in described.items() if value not in (None, [], "")}
