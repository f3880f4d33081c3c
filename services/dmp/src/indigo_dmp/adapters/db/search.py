"""A search of plans as SQL conditions over the visible documents.

The paths are SQL/JSON paths in lax mode: they open arrays by themselves, so an identifier that is one object
or a list of them is found either way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from indigo_kernel.db.tables import Instant
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH

from indigo_dmp.application.search import Search

_PATHS: Mapping[str, str] = {
    "languages": "$.dmp.language",
    "contact_ids": "$.dmp.contact.contact_id.identifier",
    "contributor_ids": "$.dmp.contributor.contributor_id.identifier",
    "dataset_ids": "$.dmp.dataset.dataset_id.identifier",
    "dmp_ids": "$.dmp.dmp_id.identifier",
    "dmp_alternate_identifier": "$.dmp.alternate_identifier.identifier",
    "metadata_standard_ids": "$.dmp.dataset.metadata.metadata_standard_id.identifier",
    "funder_ids": "$.dmp.project.funding.funder_id.identifier",
    "grant_ids": "$.dmp.project.funding.grant_id.identifier",
    "funding_status": "$.dmp.project.funding.funding_status",
    "host_ids": "$.dmp.dataset.distribution.host.host_id.identifier",
    "host_titles": "$.dmp.dataset.distribution.host.title",
    "license_refs": "$.dmp.dataset.distribution.license.license_ref",
    "distribution_formats": "$.dmp.dataset.distribution.format",
    "distribution_data_access": "$.dmp.dataset.distribution.data_access",
    "dataset_personal_data": "$.dmp.dataset.personal_data",
    "dataset_sensitive_data": "$.dmp.dataset.sensitive_data",
    "ethical_issues_exist": "$.dmp.ethical_issues_exist",
}
_TEXT_PATHS = (
    "$.dmp.title",
    "$.dmp.description",
    "$.dmp.dataset.title",
    "$.dmp.dataset.description",
    "$.dmp.project.title",
    "$.dmp.project.description",
)

Condition = sa.ColumnElement[bool]


def search_sql(search: Search, seen: sa.Subquery) -> tuple[list[Condition], list[sa.ColumnElement[Any]]]:
    """Conditions and order over ``seen``, a selection of id, created and document."""
    document = seen.c.document
    modified = sa.cast(document[("dmp", "modified")].astext, Instant)
    conditions = [_has_value(document, name, values) for name, values in search.values.items()]
    if search.texts:
        conditions.append(sa.or_(*(_has_text(document, text) for text in search.texts)))
    if search.created_before:
        conditions.append(seen.c.created <= search.created_before)
    if search.created_after:
        conditions.append(seen.c.created > search.created_after)
    if search.modified_before:
        conditions.append(modified <= search.modified_before)
    if search.modified_after:
        conditions.append(modified > search.modified_after)
    columns: dict[str, sa.ColumnElement[Any]] = {
        "title": document[("dmp", "title")].astext,
        "created": seen.c.created,
        "modified": modified,
        "language": document[("dmp", "language")].astext,
    }
    order = [columns[name].desc() if falls else columns[name].asc() for name, falls in search.sort]
    return conditions, [*order, seen.c.id.desc()]


def _has_value(document: sa.ColumnElement[Any], name: str, values: tuple[str, ...]) -> Condition:
    if name == "license_refs":  # with and without the slash at the end it is the same license
        values = tuple(form for value in values for form in (value.rstrip("/"), value.rstrip("/") + "/"))
    wanted = sa.literal({"wanted": list(values)}, JSONB)
    path = sa.cast(f"{_PATHS[name]} ? (@ == $wanted[*])", JSONPATH)
    return sa.func.jsonb_path_exists(document, path, wanted, type_=sa.Boolean())


def _has_text(document: sa.ColumnElement[Any], text: str) -> Condition:
    found = [
        sa.func.jsonb_path_query(document, sa.cast(path, JSONPATH), type_=JSONB).column_valued(f"text_{number}")
        for number, path in enumerate(_TEXT_PATHS)
    ]
    return sa.or_(
        *(sa.exists(sa.select(sa.literal(1)).where(_plain(one).icontains(text, autoescape=True))) for one in found)
    )


def _plain(value: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    return value.op("#>>", return_type=sa.Text())(sa.cast([], sa.ARRAY(sa.Text)))
