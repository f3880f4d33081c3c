"""A plan as schema.org JSON-LD, and as a citation."""

from __future__ import annotations

from typing import Any

from indigo_contracts.dmp import OutputKind, Person, PlannedOutput, PlanSnapshot

_TYPES = {OutputKind.DATASET: "Dataset", OutputKind.SOFTWARE: "SoftwareSourceCode"}

_PLAN = "http://purl.org/coar/resource_type/c_ab20"
"""Data management plan, in the COAR vocabulary of resource types."""


def authors(plan: PlanSnapshot) -> list[Person]:
    """The contact and the contributors, each once."""
    several = [plan.contact, *plan.contributors]
    return list({person.identifier or person.name: person for person in reversed(several)}.values())[::-1]


def citation(plan: PlanSnapshot) -> str:
    """How to cite the edition: authors, year, title, edition. The address comes behind it."""
    names = "; ".join(person.name for person in authors(plan))
    year = (plan.published_at or plan.modified).year
    return f"{names} ({year}). {plan.title}. Data management plan, edition {plan.edition}."


def schema_org(plan: PlanSnapshot, cite_as: str) -> dict[str, Any]:
    """The context is inline, so that nobody has to fetch it."""
    return _filled(
        {
            "@context": {"@vocab": "https://schema.org/"},
            "@type": "DigitalDocument",
            "additionalType": _PLAN,
            "@id": cite_as,
            "url": plan.url,
            "name": plan.title,
            "description": plan.description,
            "inLanguage": plan.language,
            "version": str(plan.edition),
            "creativeWorkStatus": plan.state.value,
            "author": [_person(person) for person in authors(plan)],
            "dateCreated": plan.created.isoformat(),
            "dateModified": plan.modified.isoformat(),
            "datePublished": plan.published_at and plan.published_at.isoformat(),
            "hasPart": [_output(output) for output in plan.outputs],
        }
    )


def _output(output: PlannedOutput) -> dict[str, Any]:
    tables = output.structure.tables if output.structure else []
    measured = [
        _filled(
            {
                "@type": "PropertyValue",
                "name": field.name,
                "description": field.definition or field.title,
                "propertyID": field.term,
                "unitText": field.unit,
            }
        )
        for table in tables
        for field in table.fields
    ]
    return _filled(
        {
            "@type": _TYPES[output.kind],
            "name": output.title,
            "description": output.description,
            "creator": [_person(person) for person in output.creators],
            "keywords": output.keywords,
            "license": output.license,
            "encodingFormat": output.formats,
            "about": [_filled(_taxon(taxon.scientific_name, taxon.rank, taxon.taxon_id)) for taxon in output.taxa],
            "variableMeasured": measured if output.kind is OutputKind.DATASET else [],
        }
    )


def _taxon(name: str, rank: str | None, uri: str | None) -> dict[str, Any]:
    return {"@type": "Taxon", "name": name, "taxonRank": rank, "@id": uri}


def _person(person: Person) -> dict[str, Any]:
    is_uri = person.identifier and "://" in person.identifier
    return _filled({"@type": "Person", "name": person.name, "@id": person.identifier if is_uri else None})


def _filled(described: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in described.items() if value not in (None, "", [])}
