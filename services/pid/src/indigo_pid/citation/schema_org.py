"""schema.org JSON-LD of what an identifier names. The context is inline: nobody has to fetch it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from indigo_contracts.repository import RecordKind

from indigo_pid.citation.subject import Subject, abstract, date_of, main_title, name_of
from indigo_pid.datacite.models import Creator, RelatedIdentifier, Resource
from indigo_pid.datacite.vocabularies import (
    ContributorType,
    DateType,
    NameType,
    RelatedIdentifierType,
    RelationType,
    ResourceType,
)

VOCABULARY = "https://schema.org/"

_TYPES = {
    ResourceType.AUDIOVISUAL: "MediaObject",
    ResourceType.AWARD: "Grant",
    ResourceType.BOOK: "Book",
    ResourceType.BOOK_CHAPTER: "Chapter",
    ResourceType.COLLECTION: "Collection",
    ResourceType.COMPUTATIONAL_NOTEBOOK: "SoftwareSourceCode",
    ResourceType.CONFERENCE_PAPER: "ScholarlyArticle",
    ResourceType.DATASET: "Dataset",
    ResourceType.DATA_PAPER: "ScholarlyArticle",
    ResourceType.DISSERTATION: "Thesis",
    ResourceType.EVENT: "Event",
    ResourceType.IMAGE: "ImageObject",
    ResourceType.JOURNAL: "Periodical",
    ResourceType.JOURNAL_ARTICLE: "ScholarlyArticle",
    ResourceType.OUTPUT_MANAGEMENT_PLAN: "DigitalDocument",
    ResourceType.PEER_REVIEW: "Review",
    ResourceType.POSTER: "Poster",
    ResourceType.PREPRINT: "ScholarlyArticle",
    ResourceType.PRESENTATION: "PresentationDigitalDocument",
    ResourceType.PROJECT: "ResearchProject",
    ResourceType.REPORT: "Report",
    ResourceType.SERVICE: "Service",
    ResourceType.SOFTWARE: "SoftwareSourceCode",
    ResourceType.SOUND: "AudioObject",
    ResourceType.TEXT: "ScholarlyArticle",
}
_OF_KIND = {
    RecordKind.DATASET: "Dataset",
    RecordKind.SOFTWARE: "SoftwareSourceCode",
    RecordKind.DMP: "DigitalDocument",
    RecordKind.ANALYSIS: "CreativeWork",
}
_RELATIONS = {
    RelationType.IS_PART_OF: "isPartOf",
    RelationType.HAS_PART: "hasPart",
    RelationType.IS_PREVIOUS_VERSION_OF: "successorOf",
    RelationType.IS_NEW_VERSION_OF: "predecessorOf",
    RelationType.CITES: "citation",
    RelationType.REFERENCES: "citation",
    RelationType.IS_DERIVED_FROM: "isBasedOn",
    RelationType.IS_IDENTICAL_TO: "sameAs",
    RelationType.IS_TRANSLATION_OF: "translationOfWork",
    RelationType.HAS_TRANSLATION: "workTranslation",
    RelationType.IS_DOCUMENTED_BY: "subjectOf",
    RelationType.DOCUMENTS: "about",
}
_RESOLVERS = {
    RelatedIdentifierType.DOI: "https://doi.org/",
    RelatedIdentifierType.HANDLE: "https://hdl.handle.net/",
    RelatedIdentifierType.ARXIV: "https://arxiv.org/abs/",
    RelatedIdentifierType.PMID: "https://pubmed.ncbi.nlm.nih.gov/",
    RelatedIdentifierType.ARK: "https://n2t.net/",
}
_ADDRESSES = frozenset({RelatedIdentifierType.URL, RelatedIdentifierType.PURL, RelatedIdentifierType.W3ID})


def work_type(subject: Subject) -> str:
    """The schema.org type of the thing."""
    if subject.resource is not None:
        return _TYPES.get(subject.resource.types.resource_type_general, "CreativeWork")
    return _OF_KIND[subject.kind] if subject.kind else "CreativeWork"


def schema_org(subject: Subject) -> dict[str, Any]:
    """The thing, with all that is known of it; its names, its place and its type if that is all."""
    told: dict[str, Any] = {
        "@context": {"@vocab": VOCABULARY},
        "@type": work_type(subject),
        "@id": subject.url,
        "identifier": [subject.url, *subject.names],
        "url": subject.target,
    }
    if subject.resource is not None:
        told |= _described(subject.resource)
    return {name: value for name, value in told.items() if value}


def _described(resource: Resource) -> dict[str, Any]:
    main = main_title(resource)
    return {
        "name": main,
        "alternateName": [one.title for one in resource.titles if one.title != main],
        "additionalType": resource.types.resource_type,
        "author": [_agent(one) for one in resource.creators],
        "editor": [_agent(one) for one in resource.contributors if one.contributor_type is ContributorType.EDITOR],
        "contributor": [
            _agent(one) for one in resource.contributors if one.contributor_type is not ContributorType.EDITOR
        ],
        "description": abstract(resource),
        "publisher": _without_nothing(
            {
                "@type": "Organization",
                "@id": _address(resource.publisher.publisher_identifier),
                "name": resource.publisher.name,
            }
        ),
        "datePublished": date_of(resource, DateType.ISSUED) or f"{resource.publication_year:04}",
        "dateCreated": date_of(resource, DateType.CREATED),
        "dateModified": date_of(resource, DateType.UPDATED),
        "temporalCoverage": date_of(resource, DateType.COVERAGE),
        "spatialCoverage": [
            {"@type": "Place", "name": one.geo_location_place}
            for one in resource.geo_locations
            if one.geo_location_place
        ],
        "keywords": [one.subject for one in resource.subjects],
        "inLanguage": resource.language,
        "version": resource.version,
        "license": [uri for one in resource.rights_list if (uri := _address(one.rights_uri))],
        "contentSize": resource.sizes,
        "encodingFormat": resource.formats,
        "funder": [
            _without_nothing(
                {
                    "@type": "Organization",
                    "@id": _address(one.funder_identifier),
                    "name": one.funder_name,
                }
            )
            for one in resource.funding_references
        ],
        **_related(resource.related_identifiers),
    }


def _agent(agent: Creator) -> dict[str, Any]:
    name = name_of(agent)
    organization = agent.name_type is NameType.ORGANIZATIONAL
    return _without_nothing(
        {
            "@type": "Organization" if organization else "Person",
            "@id": next((uri for one in agent.name_identifiers if (uri := _address(one.name_identifier))), None),
            "name": agent.name,
            "familyName": name.family,
            "givenName": name.given,
            "affiliation": [
                _without_nothing(
                    {"@type": "Organization", "@id": _address(one.affiliation_identifier), "name": one.name}
                )
                for one in agent.affiliation
            ],
        }
    )


def _related(related: Iterable[RelatedIdentifier]) -> dict[str, list[dict[str, str]]]:
    told: dict[str, list[dict[str, str]]] = {}
    for one in related:
        relation, address = _RELATIONS.get(one.relation_type), _address_of(one)
        if relation and address:
            told.setdefault(relation, []).append({"@id": address})
    return told


def _address_of(related: RelatedIdentifier) -> str | None:
    identifier = related.related_identifier
    if related.related_identifier_type in _ADDRESSES or identifier.startswith(("https://", "http://")):
        return _address(identifier)
    resolver = _RESOLVERS.get(related.related_identifier_type)
    return None if resolver is None else _address(resolver + identifier)


def _address(text: str | None) -> str | None:
    """``text`` if it is an address that may name a node: a web address without characters no IRI has."""
    if text is None or not text.startswith(("https://", "http://")):
        return None
    return None if any(char in '<>"{}|\\^`' or char <= " " for char in text) else text


def _without_nothing(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in value.items() if one}
