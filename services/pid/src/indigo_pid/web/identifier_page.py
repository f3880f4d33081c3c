"""The page about an identifier itself: its names, what it says of the thing, and where its DOI stands."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Response
from indigo_ui import Pages

from indigo_pid.application.describe import Description
from indigo_pid.citation.formats import formats_for
from indigo_pid.citation.schema_org import schema_org
from indigo_pid.citation.subject import date_of, main_title, name_of
from indigo_pid.datacite.vocabularies import DateType
from indigo_pid.domain.doi import DoiStatus
from indigo_pid.domain.kernel_information import kernel_information
from indigo_pid.web.told import ToldTombstone

_STANDING = {
    DoiStatus.DONE: "the registrar has it",
    DoiStatus.PENDING: "the registrar has been asked, or will be",
    DoiStatus.FAILED: "the registrar does not have it as it should",
    DoiStatus.SET_ASIDE: "kept for when it is published",
}


def identifier_page(
    pages: Pages, described: Description, citation: str | None, headers: Mapping[str, str]
) -> Response:
    """The page, with the kernel information of the identifier and links to every description there is."""
    identifier = described.identifier
    resource, _ = described.read()
    subject = described.subject(resource)
    base_url = identifier.resolver_url.removesuffix(identifier.handle)
    title = main_title(resource) if resource else identifier.handle
    tags = [("DC.identifier", subject.url)]
    if resource is not None:
        published = date_of(resource, DateType.ISSUED) or f"{resource.publication_year:04}"
        tags += [("citation_title", title), ("citation_publisher", resource.publisher.name)]
        tags += [("citation_author", name_of(one).literal) for one in resource.creators]
        tags += [("citation_publication_date", published.replace("-", "/"))]
    if identifier.doi:
        tags.append(("citation_doi", identifier.doi))
    return pages.response(
        "identifier.html",
        {
            "title": title,
            "identifier": identifier,
            "doi": described.doi,
            "standing": _STANDING[described.doi.status] if described.doi else None,
            "subject": subject,
            "citation": citation,
            "creators": resource.creators if resource else [],
            "described": schema_org(subject),
            "kernel": kernel_information(identifier),
            "tombstone": ToldTombstone.of(identifier, citation),
            "concept_url": None if identifier.concept is None else f"{base_url}{identifier.concept}",
            "formats": [
                (one.title, f"{identifier.resolver_url}?format={one.name}") for one in formats_for(resource)
            ],
            "history_url": f"{base_url}api/identifiers/{identifier.handle}/history",
            "json_url": f"{base_url}api/identifiers/{identifier.handle}",
            "tags": tags,
        },
        headers=headers,
    )
