from __future__ import annotations

from datetime import UTC, datetime

import pytest
from indigo_contracts.dmp import Person
from indigo_contracts.repository import RecordKind, RecordState
from indigo_pid.adapters.datacite import event_for
from indigo_pid.datacite.vocabularies import ResourceType
from indigo_pid.domain.datacite import RESOURCE_TYPES, Relation, attributes_for, problems_of
from indigo_pid.domain.doi import DoiState
from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.names import Naming
from indigo_pid.sandbox.states import State, flaws

NAMING = Naming("21.T99999", "10.5072", "99999", "https://pid.example.org")
NOW = datetime(2026, 2, 3, tzinfo=UTC)


def attributes(record, *relations, reason=None):
    identifier = Identifier.mint(NAMING, "x", now=NOW, record=record).follow(
        record, record.url, reason=reason, now=NOW
    )
    return attributes_for(identifier, relations)


def test_a_published_record(record):
    made = attributes(
        record(
            state=RecordState.PUBLISHED,
            kind=RecordKind.DMP,
            description="What is measured.",
            keywords=["water"],
            language="en",
            creators=[
                Person(name="Carberry, Josiah", identifier="0000-0002-1825-0097"),
                Person(name="IFCA", identifier="https://ror.org/03yrm5c26"),
                Person(name="Ana", affiliation="CSIC"),
            ],
        ),
        Relation("Documents", "10.5072/y", RecordKind.SOFTWARE),
    )
    assert made["url"] == "https://repository.example.org/records/r1"
    assert made["publicationYear"] == 2026
    assert made["types"] == {"resourceTypeGeneral": "OutputManagementPlan", "resourceType": "Data Management Plan"}
    assert made["creators"] == [
        {
            "name": "Carberry, Josiah",
            "nameType": "Personal",
            "familyName": "Carberry",
            "givenName": "Josiah",
            "nameIdentifiers": [
                {
                    "nameIdentifier": "https://orcid.org/0000-0002-1825-0097",
                    "nameIdentifierScheme": "ORCID",
                    "schemeUri": "https://orcid.org",
                }
            ],
        },
        {
            "name": "IFCA",
            "nameType": "Organizational",
            "nameIdentifiers": [
                {
                    "nameIdentifier": "https://ror.org/03yrm5c26",
                    "nameIdentifierScheme": "ROR",
                    "schemeUri": "https://ror.org",
                }
            ],
        },
        {"name": "Ana", "affiliation": [{"name": "CSIC"}]},
    ]
    assert made["relatedIdentifiers"] == [
        {
            "relatedIdentifier": "10.5072/y",
            "relatedIdentifierType": "DOI",
            "relationType": "Documents",
            "resourceTypeGeneral": "Software",
        }
    ]
    assert made["dates"] == [{"date": "2026-01-01", "dateType": "Issued"}]
    assert problems_of("10.5072/x", made) == []
    assert flaws("10.5072/x", made, State.FINDABLE) == []


def test_a_withdrawn_record_leads_to_its_tombstone(record):
    made = attributes(record(state=RecordState.WITHDRAWN), reason="wrong sensor")
    assert made["url"] == "https://pid.example.org/21.T99999/x"
    assert {"date": "2026-02-03", "dateType": "Withdrawn", "dateInformation": "wrong sensor"} in made["dates"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"creators": []}, "/creators"),
        ({"creators": [Person(name=" ")]}, "/creators/0/name"),
        ({"title": " "}, "/titles/0/title"),
        ({"publisher": ""}, "/publisher/name"),
        ({"publication_date": None}, "/publicationYear"),
        ({"language": "no language"}, "/language"),
    ],
)
def test_what_a_registrar_would_refuse_is_known_before(record, changes, pointer):
    made = attributes(record(state=RecordState.PUBLISHED, **changes))
    assert [one.pointer for one in problems_of("10.5072/x", made)] == [pointer]


def test_every_kind_has_a_type_of_the_schema():
    assert set(RESOURCE_TYPES) == set(RecordKind)
    assert {general for general, _ in RESOURCE_TYPES.values()} <= set(ResourceType)


@pytest.mark.parametrize(
    ("desired", "observed", "event"),
    [
        (DoiState.FINDABLE, None, "publish"),
        (DoiState.FINDABLE, DoiState.REGISTERED, "publish"),
        (DoiState.REGISTERED, None, "register"),
        (DoiState.REGISTERED, DoiState.DRAFT, "register"),
        (DoiState.REGISTERED, DoiState.FINDABLE, "hide"),
    ],
)
def test_the_event_follows_from_what_was_seen(desired, observed, event):
    assert event_for(desired, observed) == event
