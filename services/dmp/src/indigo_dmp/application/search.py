"""What one can look for among plans (RDA common maDMP API, ``GET /dmps``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from indigo_dmp.madmp import codes

VALUE_FILTERS: Mapping[str, tuple[str, ...] | None] = {
    "languages": codes.LANGUAGES,
    "contact_ids": None,
    "contributor_ids": None,
    "dataset_ids": None,
    "dmp_ids": None,
    "dmp_alternate_identifier": None,
    "metadata_standard_ids": None,
    "funder_ids": None,
    "grant_ids": None,
    "funding_status": codes.FUNDING_STATES,
    "host_ids": None,
    "host_titles": None,
    "license_refs": None,
    "distribution_formats": None,
    "distribution_data_access": codes.DATA_ACCESS,
    "dataset_personal_data": codes.YES_NO_UNKNOWN,
    "dataset_sensitive_data": codes.YES_NO_UNKNOWN,
    "ethical_issues_exist": codes.YES_NO_UNKNOWN,
}
"""Parameters that compare one field with a list of values, and the values they may have (None: any text)."""

SORT_FIELDS = ("title", "created", "modified", "language")


@dataclass(frozen=True, slots=True)
class Search:
    """All given conditions hold; within one filter or the texts, one of the values is enough.

    ``before`` bounds include their instant, ``after`` bounds do not.
    """

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    created_before: datetime | None = None
    created_after: datetime | None = None
    modified_before: datetime | None = None
    modified_after: datetime | None = None
    sort: tuple[tuple[str, bool], ...] = (("created", True),)
    """Field and whether it falls."""
    offset: int = 0
    count: int = 20
