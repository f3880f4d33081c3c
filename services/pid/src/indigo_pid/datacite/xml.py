"""DataCite XML (kernel-4, metadata.xsd 4.7) from resources, and resources from it.

A document from outside is UTF-8, has no document type declaration (so no entities), and is of bounded size and
depth: nothing is expanded, nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from indigo_contracts.problems import FieldError
from lxml import etree

from indigo_pid.datacite.models import SCHEMA, Resource
from indigo_pid.datacite.validation import InvalidMetadata, read_resource
from indigo_pid.datacite.xmlformat import (
    Areas,
    Broken,
    Json,
    Many,
    Misplaced,
    Node,
    One,
    Text,
    Words,
    Wrapped,
    tag_of,
    year,
)
from indigo_pid.safexml import UnreadableXml, parse_xml

MAX_BYTES = 4 * 1024 * 1024
"""More than ten thousand creators with identifiers and affiliations need."""

_LOCATION = f"{SCHEMA} https://schema.datacite.org/meta/kernel-4/metadata.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"

_NAME = ("nameType", "lang")
_SCHEME = ("relatedMetadataScheme", "schemeUri", "schemeType")
_NAMES = (Text("givenName", "givenName"), Text("familyName", "familyName"))
_AGENT = (
    *_NAMES,
    Many(
        "nameIdentifiers",
        Text("nameIdentifier", "nameIdentifier", ("nameIdentifierScheme", "schemeUri"), strict=False),
    ),
    Many(
        "affiliation",
        Text(
            "affiliation",
            "name",
            ("affiliationIdentifier", "affiliationIdentifierScheme", "schemeUri"),
            strict=False,
        ),
    ),
)
_CREATOR_NAME = Text("creatorName", "name", _NAME)
_CONTRIBUTOR_NAME = Text("contributorName", "name", _NAME)
_TITLES = Wrapped("titles", Many("titles", Text("title", "title", ("titleType", "lang"))))
_POINT = (Text("pointLongitude", "pointLongitude"), Text("pointLatitude", "pointLatitude"))
_BOX = tuple(
    Text(name, name)
    for name in ("westBoundLongitude", "eastBoundLongitude", "southBoundLatitude", "northBoundLatitude")
)

_ITEM = Node(
    "relatedItem",
    (
        One(
            "relatedItemIdentifier",
            Text("relatedItemIdentifier", "relatedItemIdentifier", ("relatedItemIdentifierType", *_SCHEME)),
        ),
        Wrapped("creators", Many("creators", Node("creator", (_CREATOR_NAME, *_NAMES)))),
        _TITLES,
        Text("publicationYear", "publicationYear", shown=year),
        Text("volume", "volume"),
        Text("issue", "issue"),
        Text("number", "number", ("numberType",)),
        Text("firstPage", "firstPage"),
        Text("lastPage", "lastPage"),
        Text("publisher", "publisher"),
        Text("edition", "edition"),
        Wrapped(
            "contributors",
            Many("contributors", Node("contributor", (_CONTRIBUTOR_NAME, *_NAMES), ("contributorType",))),
        ),
    ),
    ("relatedItemType", "relationType", "relationTypeInformation"),
)

_GEO = Node(
    "geoLocation",
    (
        Text("geoLocationPlace", "geoLocationPlace"),
        One("geoLocationPoint", Node("geoLocationPoint", _POINT)),
        One("geoLocationBox", Node("geoLocationBox", _BOX)),
        Areas(
            "geoLocationPolygon",
            Node(
                "geoLocationPolygon",
                (
                    Many("polygonPoint", Node("polygonPoint", _POINT)),
                    Many("inPolygonPoint", Node("inPolygonPoint", _POINT)),
                ),
            ),
        ),
    ),
)

_FUNDING = Node(
    "fundingReference",
    (
        Text("funderName", "funderName"),
        Text("funderIdentifier", "funderIdentifier", ("funderIdentifierType", "schemeUri")),
        Text("awardNumber", "awardNumber", ("awardUri",)),
        Text("awardTitle", "awardTitle"),
    ),
)

_RESOURCE = Node(
    "resource",
    (
        Text("identifier", "identifier", ("identifierType",)),
        Wrapped("creators", Many("creators", Node("creator", (_CREATOR_NAME, *_AGENT)))),
        _TITLES,
        One(
            "publisher",
            Text(
                "publisher",
                "name",
                ("publisherIdentifier", "publisherIdentifierScheme", "schemeUri", "lang"),
            ),
        ),
        Text("publicationYear", "publicationYear", shown=year),
        One("types", Text("resourceType", "resourceType", ("resourceTypeGeneral",))),
        Wrapped(
            "subjects",
            Many(
                "subjects",
                Text(
                    "subject", "subject", ("subjectScheme", "schemeUri", "valueUri", "classificationCode", "lang")
                ),
            ),
        ),
        Wrapped(
            "contributors",
            Many("contributors", Node("contributor", (_CONTRIBUTOR_NAME, *_AGENT), ("contributorType",))),
        ),
        Wrapped("dates", Many("dates", Text("date", "date", ("dateType", "dateInformation")))),
        Text("language", "language"),
        Wrapped(
            "alternateIdentifiers",
            Many(
                "alternateIdentifiers",
                Text("alternateIdentifier", "alternateIdentifier", ("alternateIdentifierType",)),
            ),
        ),
        Wrapped(
            "relatedIdentifiers",
            Many(
                "relatedIdentifiers",
                Text(
                    "relatedIdentifier",
                    "relatedIdentifier",
                    (
                        "resourceTypeGeneral",
                        "relatedIdentifierType",
                        "relationType",
                        "relationTypeInformation",
                        *_SCHEME,
                    ),
                ),
            ),
        ),
        Wrapped("sizes", Words("sizes", "size")),
        Wrapped("formats", Words("formats", "format")),
        Text("version", "version"),
        Wrapped(
            "rightsList",
            Many(
                "rightsList",
                Text(
                    "rights",
                    "rights",
                    ("rightsUri", "rightsIdentifier", "rightsIdentifierScheme", "schemeUri", "lang"),
                ),
            ),
        ),
        Wrapped(
            "descriptions",
            Many("descriptions", Broken("description", "description", ("descriptionType", "lang"))),
        ),
        Wrapped("geoLocations", Many("geoLocations", _GEO)),
        Wrapped("fundingReferences", Many("fundingReferences", _FUNDING)),
        Wrapped("relatedItems", Many("relatedItems", _ITEM)),
    ),
)


def to_xml(resource: Resource, *, handle: str | None = None) -> bytes:
    """The XML of ``resource``. One without a DOI is identified by ``handle`` instead (``identifierType``)."""
    document = resource.document()
    document["identifier"], document["identifierType"] = (
        (resource.doi, "DOI") if resource.doi else (handle, "Handle")
    )
    if document["identifier"] is None:
        raise ValueError("XML needs a DOI or a handle")
    nsmap: dict[str | None, str] = {None: SCHEMA, "xsi": _XSI}
    root = etree.Element(f"{{{SCHEMA}}}resource", nsmap=nsmap)
    root.set(f"{{{_XSI}}}schemaLocation", _LOCATION)
    _RESOURCE.fill(root, document)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def from_xml(document: bytes) -> Resource:
    """The resource a DataCite XML document of kernel 4 describes.

    Raises ``InvalidMetadata``; an error about the document as a whole has the pointer ``""`` and the code
    ``xml``, the others point into the JSON form.
    """
    return read_resource(attributes_from_xml(document))


def attributes_from_xml(document: bytes) -> Mapping[str, Any]:
    """The JSON form of a DataCite XML document, not yet checked. Raises ``InvalidMetadata``."""
    root = _parse(document)
    value: Json = {}
    try:
        if tag_of(root) != "resource":
            raise Misplaced("The root element is resource")
        _RESOURCE.read(root, value)
    except Misplaced as misplaced:
        raise _refused(str(misplaced)) from None
    identifier, kind = value.pop("identifier", None), value.pop("identifierType", None)
    if kind == "DOI" and identifier:
        value["doi"] = identifier
    return value


def _parse(document: bytes) -> etree._Element:
    try:
        return parse_xml(document, MAX_BYTES)
    except UnreadableXml as error:
        raise _refused(str(error)) from None


def _refused(detail: str) -> InvalidMetadata:
    return InvalidMetadata([FieldError(pointer="", detail=detail, code="xml")])
