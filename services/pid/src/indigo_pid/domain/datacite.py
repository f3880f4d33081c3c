"""From an identifier and its record to DataCite attributes, checked before anybody sends them.

Sources: DataCite Metadata Schema 4.7 (properties, controlled lists), DataCite REST API (JSON names and what
must be there for ``register`` and ``publish``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from indigo_contracts.dmp import Person
from indigo_contracts.pid import IdentifierState
from indigo_contracts.problems import FieldError
from indigo_contracts.repository import RecordKind, RecordSnapshot

from indigo_pid.datacite.models import SCHEMA
from indigo_pid.datacite.validation import problems_in
from indigo_pid.datacite.vocabularies import ResourceType
from indigo_pid.domain.identifier import Identifier

RESOURCE_TYPES: dict[RecordKind, tuple[str, str]] = {
    RecordKind.DATASET: (ResourceType.DATASET.value, "Dataset"),
    RecordKind.SOFTWARE: (ResourceType.SOFTWARE.value, "Software"),
    RecordKind.DMP: (ResourceType.OUTPUT_MANAGEMENT_PLAN.value, "Data Management Plan"),
    RecordKind.ANALYSIS: (ResourceType.WORKFLOW.value, "Analysis"),
}
"""kind → (resourceTypeGeneral, resourceType); schema 4.7, appendix 1."""

_ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])")
_ROR = re.compile(r"(?:https?://ror\.org/)?(0[0-9a-hj-km-np-tv-z]{6}\d{2})")
_DOI = re.compile(r"10\.\d{4,9}/[-._;()/:a-zA-Z0-9*~$=]+")


@dataclass(frozen=True, slots=True)
class Relation:
    """``doi`` stands to the described resource in ``type`` (schema 4.7, appendix 1, relationType)."""

    type: str
    doi: str
    kind: RecordKind | None


def attributes_for(
    identifier: Identifier, relations: Sequence[Relation], newest: Identifier | None = None
) -> dict[str, Any]:
    """The attributes of the DOI of ``identifier``; without ``doi`` and ``event``.

    It follows a record, or stands for versions and is described as the ``newest`` of them. The URL is the
    landing page; of a tombstoned identifier the resolver's page, with a Withdrawn date.
    """
    told = newest or identifier
    record = told.record
    if record is None:
        raise ValueError(f"{told.handle} follows no record")
    general, specific = RESOURCE_TYPES[record.kind]
    gone = identifier.state is IdentifierState.TOMBSTONED
    attributes: dict[str, Any] = {
        "url": identifier.resolver_url if gone else identifier.target,
        "schemaVersion": SCHEMA,
        "creators": [_creator(person) for person in record.creators],
        "titles": [{"title": record.title}],
        "publisher": {"name": record.publisher},
        "publicationYear": record.publication_date.year if record.publication_date else None,
        "types": {"resourceTypeGeneral": general, "resourceType": specific},
        "subjects": [{"subject": keyword} for keyword in record.keywords],
        "dates": _dates(told, record),
        "language": record.language,
        "version": str(record.edition),
        "rightsList": [{"rightsUri": record.license}] if record.license else [],
        "descriptions": (
            [{"description": record.description, "descriptionType": "Abstract"}] if record.description else []
        ),
        "alternateIdentifiers": [
            {"alternateIdentifier": identifier.handle, "alternateIdentifierType": "Handle"},
            {"alternateIdentifier": identifier.ark, "alternateIdentifierType": "ARK"},
        ],
        "relatedIdentifiers": [_related(relation) for relation in relations],
    }
    return {name: value for name, value in attributes.items() if value is not None}


def problems_of(doi: str, attributes: Mapping[str, Any]) -> list[FieldError]:
    """What a registrar would refuse: the name, the address, and whatever the schema does not allow."""
    found: list[FieldError] = []
    if not _DOI.fullmatch(doi):
        found.append(FieldError(pointer="/doi", detail=f"{doi} is no DOI name", code="invalid"))
    if not attributes.get("url"):
        found.append(FieldError(pointer="/url", detail="a landing page is needed", code="missing"))
    return found + problems_in(attributes)


def _creator(person: Person) -> dict[str, Any]:
    creator: dict[str, Any] = {"name": person.name}
    identifier = person.identifier or ""
    if match := _ORCID.fullmatch(identifier):
        creator["nameType"] = "Personal"
        creator["nameIdentifiers"] = [_name_identifier("ORCID", "https://orcid.org", match[1])]
    elif match := _ROR.fullmatch(identifier):
        creator["nameType"] = "Organizational"
        creator["nameIdentifiers"] = [_name_identifier("ROR", "https://ror.org", match[1])]
    family, comma, given = person.name.partition(", ")
    if comma and family and given and creator.get("nameType") != "Organizational":
        creator |= {"nameType": "Personal", "familyName": family, "givenName": given}
    if person.affiliation:
        creator["affiliation"] = [{"name": person.affiliation}]
    return creator


def _name_identifier(scheme: str, uri: str, value: str) -> dict[str, str]:
    return {"nameIdentifier": f"{uri}/{value}", "nameIdentifierScheme": scheme, "schemeUri": uri}


def _dates(identifier: Identifier, record: RecordSnapshot) -> list[dict[str, str]]:
    dates = []
    if record.publication_date:
        dates.append({"date": record.publication_date.isoformat(), "dateType": "Issued"})
    if identifier.state is IdentifierState.TOMBSTONED:
        dates.append(
            {
                "date": identifier.updated_at.date().isoformat(),
                "dateType": "Withdrawn",
                "dateInformation": identifier.reason or "",
            }
        )
    return dates


def _related(relation: Relation) -> dict[str, str]:
    related = {
        "relatedIdentifier": relation.doi,
        "relatedIdentifierType": "DOI",
        "relationType": relation.type,
    }
    if relation.kind:
        related["resourceTypeGeneral"] = RESOURCE_TYPES[relation.kind][0]
    return related
