"""The record of one DOI in Crossref's deposit XML, from DataCite metadata.

Source: Crossref Metadata Input Schema 5.3.0 (order, lengths and patterns of the elements that are used here).
Datasets, software, workflows and whatever has no type of its own at Crossref are ``dataset``; plans, reports and
other texts are ``report-paper``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from indigo_contracts.problems import FieldError
from lxml import etree

from indigo_pid.crossref.relations import BETWEEN_WORKS, IDENTIFIER_TYPES, WITHIN_A_WORK
from indigo_pid.datacite.models import Affiliation, Creator, Resource
from indigo_pid.datacite.validation import read_resource
from indigo_pid.datacite.vocabularies import DateType, DescriptionType, NameType, ResourceType, TitleType

VERSION = "5.3.0"
NAMESPACE = f"http://www.crossref.org/schema/{VERSION}"
JATS = "http://www.ncbi.nlm.nih.gov/JATS1"
ACCESS = "http://www.crossref.org/AccessIndicators.xsd"
RELATIONS = "http://www.crossref.org/relations.xsd"
NSMAP: dict[str | None, str] = {None: NAMESPACE, "jats": JATS, "ai": ACCESS, "rel": RELATIONS}

WITHDRAWN = "WITHDRAWN: "
"""What the title of something withdrawn begins with."""

Kind = Literal["database", "report-paper"]
"""Content types do not mix in one deposit."""

_REPORTS = frozenset(
    {
        ResourceType.OUTPUT_MANAGEMENT_PLAN,
        ResourceType.REPORT,
        ResourceType.TEXT,
        ResourceType.PREPRINT,
        ResourceType.PROJECT,
        ResourceType.STUDY_REGISTRATION,
    }
)
_DATASET_TYPES = {
    ResourceType.DATASET: "record",
    ResourceType.DATA_PAPER: "record",
    ResourceType.COLLECTION: "collection",
}
_FIRST_YEAR, _LAST_YEAR = 1400, 2200
_LONGEST_URL = 2048
_GIVEN_NAME = re.compile(r"[^\d?]{1,60}")
_SURNAME = re.compile(r"(?=.{1,60}\Z)[^\d?]*[^?\s]+[^\d]*")
_DATE = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")
_LANGUAGE = re.compile(r"[a-z]{2}")


@dataclass(frozen=True, slots=True)
class Record:
    """A record to deposit: the ``xml`` of a ``dataset`` or of a ``report-paper``."""

    kind: Kind
    xml: str


def problems_for_crossref(attributes: Mapping[str, Any]) -> list[FieldError]:
    """What Crossref's schema does not allow though DataCite's does."""
    found: list[FieldError] = []
    year = attributes.get("publicationYear")
    if isinstance(year, int) and not _FIRST_YEAR <= year <= _LAST_YEAR:
        detail = f"Crossref takes years from {_FIRST_YEAR} to {_LAST_YEAR}"
        found.append(FieldError(pointer="/publicationYear", detail=detail, code="range"))
    if len(str(attributes.get("url") or "")) > _LONGEST_URL:
        detail = f"Crossref takes addresses of at most {_LONGEST_URL} characters"
        found.append(FieldError(pointer="/url", detail=detail, code="too_long"))
    return found


def record_of(doi: str, attributes: Mapping[str, Any], *, withdrawn: bool = False) -> Record:
    """The record of ``doi``. The title says so when the thing is ``withdrawn``: Crossref hides nothing.

    ``attributes`` are DataCite attributes without problems; raises ``InvalidMetadata`` otherwise.
    """
    resource = read_resource({**attributes, "doi": doi})
    url = str(attributes["url"])
    if resource.types.resource_type_general in _REPORTS:
        kind: Kind = "report-paper"
        root = _report(resource, url, withdrawn=withdrawn)
    else:
        kind = "database"
        root = _dataset(resource, url, withdrawn=withdrawn)
    return Record(kind, etree.tostring(root, encoding="unicode"))


def _dataset(resource: Resource, url: str, *, withdrawn: bool) -> etree._Element:
    root = etree.Element(qualified("dataset"), nsmap=NSMAP)
    root.set("dataset_type", _DATASET_TYPES.get(resource.types.resource_type_general, "other"))
    _contributors(root, resource.creators)
    _titles(root, resource, withdrawn=withdrawn)
    _publication_date(_add(root, "database_date"), resource)
    _identifiers(root, resource)
    if abstract := _abstract(resource):
        description = _add(root, "description", " ".join(abstract))
        _language(description, resource)
    _rest(root, resource, url)
    return root


def _report(resource: Resource, url: str, *, withdrawn: bool) -> etree._Element:
    outer = etree.Element(qualified("report-paper"), nsmap=NSMAP)
    root = _add(outer, "report-paper_metadata")
    _language(root, resource)
    _contributors(root, resource.creators)
    _titles(root, resource, withdrawn=withdrawn)
    if resource.version and len(resource.version) <= 15:
        _add(root, "edition_number", resource.version)
    if abstract := _abstract(resource):
        told = etree.SubElement(root, f"{{{JATS}}}abstract")
        for line in abstract:
            etree.SubElement(told, f"{{{JATS}}}p").text = line
    _publication_date(root, resource)
    _add(_add(root, "publisher"), "publisher_name", resource.publisher.name[:255])
    _identifiers(root, resource)
    _rest(root, resource, url)
    return outer


def _rest(root: etree._Element, resource: Resource, url: str) -> None:
    licenses = [one.rights_uri for one in resource.rights_list if one.rights_uri]
    if licenses:
        access = etree.SubElement(root, f"{{{ACCESS}}}program", name="AccessIndicators")
        for uri in licenses:
            etree.SubElement(access, f"{{{ACCESS}}}license_ref").text = uri
    _relations(root, resource)
    data = _add(root, "doi_data")
    _add(data, "doi", resource.doi)
    _add(data, "resource", url)


def _contributors(root: etree._Element, creators: Iterable[Creator]) -> None:
    told = _add(root, "contributors")
    for number, creator in enumerate(creators):
        place = {"sequence": "additional" if number else "first", "contributor_role": "author"}
        surname, given = creator.family_name, creator.given_name
        # A name that was not taken apart is somebody's whose kind nobody told; the element for organizations
        # takes any name as it is, and that for persons does not.
        if creator.name_type is NameType.PERSONAL and surname is None:
            surname = creator.name
        person = (
            creator.name_type is not NameType.ORGANIZATIONAL
            and surname is not None
            and _SURNAME.fullmatch(surname) is not None
            and (given is None or _GIVEN_NAME.fullmatch(given) is not None)
        )
        if person:
            _person(_add(told, "person_name", **place), surname, given, creator)
        else:
            _add(told, "organization", creator.name[:511], **place)


def _person(name: etree._Element, surname: str | None, given: str | None, creator: Creator) -> None:
    if given:
        _add(name, "given_name", given)
    _add(name, "surname", surname)
    if creator.affiliation:
        affiliations = _add(name, "affiliations")
        for one in creator.affiliation:
            _institution(affiliations, one)
    for identifier in creator.name_identifiers:
        if identifier.name_identifier_scheme == "ORCID":
            bare = identifier.name_identifier.rpartition("/")[2]
            _add(name, "ORCID", f"https://orcid.org/{bare}")
            return


def _institution(root: etree._Element, affiliation: Affiliation) -> None:
    told = _add(root, "institution")
    _add(told, "institution_name", affiliation.name[:1024])
    identifier = affiliation.affiliation_identifier
    if affiliation.affiliation_identifier_scheme == "ROR" and identifier:
        _add(told, "institution_id", f"https://ror.org/{identifier.rpartition('/')[2]}", type="ror")


def _titles(root: etree._Element, resource: Resource, *, withdrawn: bool) -> None:
    titles = _add(root, "titles")
    main = next((one for one in resource.titles if one.title_type is None), resource.titles[0])
    _add(titles, "title", (WITHDRAWN if withdrawn else "") + main.title)
    subtitle = next((one for one in resource.titles if one.title_type is TitleType.SUBTITLE), None)
    if subtitle is not None and subtitle is not main:
        _add(titles, "subtitle", subtitle.title)


def _publication_date(root: etree._Element, resource: Resource) -> None:
    issued = next((one.date for one in resource.dates if one.date_type is DateType.ISSUED), "")
    match = _DATE.match(issued)
    year, month, day = match.groups() if match else (f"{resource.publication_year:04}", None, None)
    date = _add(root, "publication_date", media_type="online")
    if month is not None:
        _add(date, "month", month)
        if day is not None:
            _add(date, "day", day)
    _add(date, "year", year)


def _identifiers(root: etree._Element, resource: Resource) -> None:
    others = [one.alternate_identifier for one in resource.alternate_identifiers]
    short = [one for one in others if len(one) <= 255][:10]
    if short:
        item = _add(root, "publisher_item")
        for one in short:
            _add(item, "identifier", one, id_type="other")


def _relations(root: etree._Element, resource: Resource) -> None:
    program: etree._Element | None = None
    for one in resource.related_identifiers:
        for words, element in ((BETWEEN_WORKS, "inter_work_relation"), (WITHIN_A_WORK, "intra_work_relation")):
            word = words.get(one.relation_type)
            if word is None:
                continue
            if program is None:
                program = etree.SubElement(root, f"{{{RELATIONS}}}program")
            item = etree.SubElement(program, f"{{{RELATIONS}}}related_item")
            relation = etree.SubElement(item, f"{{{RELATIONS}}}{element}")
            relation.set("relationship-type", word)
            relation.set("identifier-type", IDENTIFIER_TYPES.get(one.related_identifier_type, "other"))
            relation.text = one.related_identifier


def _abstract(resource: Resource) -> list[str]:
    for one in resource.descriptions:
        if one.description_type is DescriptionType.ABSTRACT and one.description:
            return [line for line in one.description.split("\n") if line]
    return []


def _language(element: etree._Element, resource: Resource) -> None:
    primary = (resource.language or "").partition("-")[0].lower()
    if _LANGUAGE.fullmatch(primary):
        element.set("language", primary)


def _add(parent: etree._Element, tag: str, text: str | None = None, **attributes: str) -> etree._Element:
    made = etree.SubElement(parent, qualified(tag), attributes)
    made.text = text
    return made


def qualified(tag: str) -> str:
    """``tag`` in Crossref's namespace."""
    return f"{{{NAMESPACE}}}{tag}"
