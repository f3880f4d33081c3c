"""JSON Schemas (draft 2020-12) of maDMP 1.2 and 1.3, built from the structure the standard gives.

Source: RDA DMP Common Standard 1.2 (2025-11-25) and its list of changes for 1.3. No object is closed:
fields the standard does not know are legal everywhere, and kept.
"""

from __future__ import annotations

from typing import Any, Literal

from indigo_dmp.madmp import codes

Version = Literal["1.2", "1.3"]
Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
DATE: Schema = {"type": "string", "format": "date"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
EMAIL: Schema = {"type": "string", "format": "email"}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _many(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def _one_of(values: tuple[str, ...]) -> Schema:
    return {"type": "string", "enum": list(values)}


def _object(**fields: Schema) -> Schema:
    """An object; a field whose name ends in ``_required`` has to be there."""
    properties = {name.removesuffix("_required"): schema for name, schema in fields.items()}
    required = [name.removesuffix("_required") for name in fields if name.endswith("_required")]
    return {"type": "object", "properties": properties, "required": required}


def _one_or_many(item: Schema, least: int) -> Schema:
    return {"oneOf": [item, _many(item, minItems=least)]}


IDENTIFIER = _ref("identifier")
BOOLEANISH = _ref("booleanish")
LANGUAGE = _ref("language")


def _people() -> dict[str, Schema]:
    affiliations = _many(_object(name_required=TEXT, affiliation_id_required=IDENTIFIER))
    return {
        "contact": _object(
            name_required=TEXT,
            mbox_required=EMAIL,
            contact_id_required=_one_or_many(IDENTIFIER, 1),
            affiliation=affiliations,
        ),
        "contributor": _object(
            name_required=TEXT,
            contributor_id_required=_one_or_many(IDENTIFIER, 0),
            role_required=_many(TEXT, uniqueItems=True),
            mbox=EMAIL,
            affiliation=affiliations,
        ),
        "creator": _object(
            name_required=TEXT,
            creator_id_required=_one_or_many(IDENTIFIER, 0),
            mbox=EMAIL,
            affiliation=affiliations,
        ),
    }


def _project() -> Schema:
    funding = _object(
        funder_id_required=IDENTIFIER,
        grant_id=IDENTIFIER,
        funding_status=_one_of(codes.FUNDING_STATES),
    )
    return _object(
        title_required=TEXT,
        description=TEXT,
        start=DATE,
        end=DATE,
        project_id=_many(IDENTIFIER),
        funding=_many(funding),
    )


def _host(version: Version) -> Schema:
    fields = {
        "title_required": TEXT,
        # Validators do not know the format "url", and real plans have a DOI here: any text passes.
        "url_required" if version == "1.2" else "url": TEXT,
        "description": TEXT,
        "availability": TEXT,
        "backup_frequency": TEXT,
        "backup_type": TEXT,
        "storage_type": TEXT,
        "support_versioning": BOOLEANISH,
        "geo_location": _one_of(codes.COUNTRIES),
        "certified_with": _one_of(codes.CERTIFICATIONS),
        "pid_system": _many(_one_of(codes.PID_SYSTEMS) if version == "1.2" else TEXT),
        "host_id": _many(IDENTIFIER),
    }
    return _object(**fields)


def _distribution(version: Version) -> Schema:
    access = codes.DATA_ACCESS if version == "1.3" else tuple(a for a in codes.DATA_ACCESS if a != "restricted")
    return _object(
        title_required=TEXT,
        data_access_required=_one_of(access),
        description=TEXT,
        access_url=TEXT,
        download_url=TEXT,
        byte_size={"type": "integer"},
        format=_many(TEXT),
        issued=DATE,
        available_until=DATE,
        license=_many(_object(license_ref_required=TEXT, start_date_required=DATE)),
        host=_ref("host"),
    )


def _dataset() -> Schema:
    standard = _object(identifier_required=TEXT, type_required=_one_of(("url", "other")))
    return _object(
        title_required=TEXT,
        dataset_id_required=IDENTIFIER,
        personal_data_required=BOOLEANISH,
        sensitive_data_required=BOOLEANISH,
        description=TEXT,
        type=TEXT,
        issued=DATE,
        keyword=_many(TEXT),
        language=LANGUAGE,
        is_reused={"type": "boolean"},
        preservation_statement=TEXT,
        rights=TEXT,
        data_quality_assurance=_many(TEXT),
        creator=_many(_ref("creator")),
        metadata=_many(
            _object(
                language_required=LANGUAGE,
                metadata_standard_id_required=_one_or_many(standard, 1),
                description=TEXT,
            )
        ),
        distribution=_many(_ref("distribution")),
        technical_resource=_many(
            _object(name_required=TEXT, description=TEXT, technical_resource_id=_many(IDENTIFIER))
        ),
        security_and_privacy=_many(_object(title_required=TEXT, description=TEXT)),
        alternate_identifier=_many(IDENTIFIER),
        related_identifier=_many(_ref("related_identifier")),
    )


def _dmp() -> Schema:
    cost = _object(
        title_required=TEXT,
        description=TEXT,
        value={"type": "number"},
        currency_code=_one_of(codes.CURRENCIES),
    )
    return _object(
        title_required=TEXT,
        contact_required=_ref("contact"),
        created_required=INSTANT,
        modified_required=INSTANT,
        dataset_required=_many(_ref("dataset")),
        dmp_id_required=IDENTIFIER,
        language_required=LANGUAGE,
        ethical_issues_exist_required=BOOLEANISH,
        description=TEXT,
        ethical_issues_description=TEXT,
        ethical_issues_report=TEXT,
        contributor=_many(_ref("contributor")),
        cost=_many(cost),
        project=_many(_project()),
        alternate_identifier=_many(IDENTIFIER),
        related_identifier=_many(_ref("related_identifier")),
    )


def schema(version: Version) -> Schema:
    """The JSON Schema of a whole document ``{"dmp": {...}}`` of ``version``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Machine-actionable data management plan, RDA DMP Common Standard {version}",
        **_object(dmp_required=_dmp()),
        "$defs": {
            "identifier": _object(identifier_required=TEXT, type_required=TEXT),
            "booleanish": _one_of(codes.YES_NO_UNKNOWN),
            "language": _one_of(codes.LANGUAGES),
            "related_identifier": _object(
                identifier_required=TEXT,
                type_required=TEXT,
                relation_type_required=TEXT,
                resource_type=TEXT,
                metadata_scheme=TEXT,
                scheme_type=TEXT,
                scheme_uri={"type": "string", "format": "uri"},
            ),
            **_people(),
            "host": _host(version),
            "distribution": _distribution(version),
            "dataset": _dataset(),
        },
    }
