"""The formats there are: their media types, and what each needs to be made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from indigo_pid.citation.bibtex import bibtex
from indigo_pid.citation.csl import csl_item
from indigo_pid.citation.ris import ris
from indigo_pid.citation.schema_org import schema_org
from indigo_pid.citation.subject import Subject
from indigo_pid.datacite.models import SCHEMA, Resource
from indigo_pid.datacite.xml import to_xml


@dataclass(frozen=True, slots=True)
class Format:
    """A representation of metadata. ``media_types`` has the registered one first, then its aliases.

    ``of_resource`` makes it from DataCite metadata; ``of_anything`` needs none. A format with neither is made
    by whoever knows more than the metadata: the style, or the other formats.
    """

    name: str
    title: str
    media_types: tuple[str, ...]
    of_resource: Callable[[Subject, Resource], bytes] | None = None
    of_anything: Callable[[Subject], bytes] | None = None
    needs_resource: bool = True

    @property
    def media_type(self) -> str:
        return self.media_types[0]


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _datacite_json(subject: Subject, resource: Resource) -> bytes:
    document: dict[str, Any] = {"id": subject.url, **resource.document(), "schemaVersion": SCHEMA}
    if resource.doi is None:
        document["identifiers"] = [{"identifier": subject.handle, "identifierType": "Handle"}]
    if subject.target:
        document["url"] = subject.target
    return _json(document)


def _rdf(subject: Subject, syntax: Literal["turtle", "pretty-xml"]) -> bytes:
    from indigo_pid.citation.rdf import rdf  # rdflib takes a tenth of a second to load, and few ask for it

    return rdf(subject, syntax).encode()


CITATION = Format("citation", "Citation", ("text/x-bibliography",))
LINKSET = Format("linkset", "Linkset", ("application/linkset+json",), needs_resource=False)

FORMATS = (
    Format(
        "datacite-json",
        "DataCite JSON",
        ("application/vnd.datacite.datacite+json",),
        of_resource=_datacite_json,
    ),
    Format(
        "datacite-xml",
        "DataCite XML",
        ("application/vnd.datacite.datacite+xml", "application/x-datacite+xml"),
        of_resource=lambda subject, resource: to_xml(resource, handle=subject.handle),
    ),
    Format(
        "schema-org",
        "schema.org JSON-LD",
        ("application/ld+json", "application/vnd.schemaorg.ld+json"),
        of_anything=lambda subject: _json(schema_org(subject)),
        needs_resource=False,
    ),
    Format(
        "csl",
        "CSL JSON",
        ("application/vnd.citationstyles.csl+json", "application/citeproc+json"),
        of_resource=lambda subject, resource: _json(csl_item(subject, resource)),
    ),
    CITATION,
    Format(
        "bibtex",
        "BibTeX",
        ("application/x-bibtex",),
        of_resource=lambda subject, resource: bibtex(subject, resource).encode(),
    ),
    Format(
        "ris",
        "RIS",
        ("application/x-research-info-systems",),
        of_resource=lambda subject, resource: ris(subject, resource).encode(),
    ),
    Format(
        "turtle",
        "RDF, Turtle",
        ("text/turtle",),
        of_anything=lambda subject: _rdf(subject, "turtle"),
        needs_resource=False,
    ),
    Format(
        "rdf-xml",
        "RDF/XML",
        ("application/rdf+xml",),
        of_anything=lambda subject: _rdf(subject, "pretty-xml"),
        needs_resource=False,
    ),
    LINKSET,
)

BY_MEDIA_TYPE: Mapping[str, Format] = MappingProxyType(
    {media_type: one for one in FORMATS for media_type in one.media_types}
)
BY_NAME: Mapping[str, Format] = MappingProxyType({one.name: one for one in FORMATS} | dict(BY_MEDIA_TYPE))
"""By its short name or any of its media types."""


def formats_for(resource: Resource | None) -> list[Format]:
    """Those that can be made."""
    return [one for one in FORMATS if resource is not None or not one.needs_resource]
