"""What metadata costs in CPU time: a document checked, taken through XML, and cited, anew and once more."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from indigo_pid.citation.bibliography import Bibliography
from indigo_pid.citation.csl import csl_item
from indigo_pid.citation.subject import Subject
from indigo_pid.datacite.validation import problems_in, read_resource
from indigo_pid.datacite.vocabularies import ContributorType, DateType, RelationType
from indigo_pid.datacite.xml import from_xml, to_xml

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_STYLES = ("apa", "ieee", "chicago-author-date", "nature")


def _document(*, large: bool) -> dict[str, Any]:
    """What a record of the repository has; ``large`` has something of every list of the schema."""
    person = {
        "name": "Aguilar, Fernando",
        "nameType": "Personal",
        "givenName": "Fernando",
        "familyName": "Aguilar",
        "nameIdentifiers": [
            {
                "nameIdentifier": "https://orcid.org/0000-0002-1825-0097",
                "nameIdentifierScheme": "ORCID",
                "schemeUri": "https://orcid.org",
            }
        ],
        "affiliation": [{"name": "IFCA", "affiliationIdentifier": "https://ror.org/03yrm5c26"}],
    }
    document: dict[str, Any] = {
        "doi": "10.5072/3mfp-6m52",
        "creators": [person] * 3,
        "titles": [{"title": "Water quality of the reservoir", "lang": "en"}],
        "publisher": {"name": "INDIGO Preservation Repository"},
        "publicationYear": 2026,
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Sensor time series"},
        "subjects": [{"subject": "water"}, {"subject": "turbidity"}],
        "dates": [{"date": "2026-01-01", "dateType": "Issued"}],
        "rightsList": [{"rightsUri": "https://creativecommons.org/licenses/by/4.0/"}],
        "descriptions": [{"description": "What is measured.\nAnd how.", "descriptionType": "Abstract"}],
    }
    if large:
        document |= {
            "contributors": [{**person, "contributorType": kind.value} for kind in ContributorType],
            "dates": [{"date": "2026-01-01", "dateType": kind.value} for kind in DateType],
            "relatedIdentifiers": [
                {"relatedIdentifier": "10.5072/y", "relatedIdentifierType": "DOI", "relationType": kind.value}
                for kind in RelationType
            ],
        }
    return document


def _milliseconds(call: Callable[[], object], times: int = 300) -> list[float]:
    call()
    took = []
    for _ in range(times):
        start = time.thread_time()
        call()
        took.append((time.thread_time() - start) * 1000)
    return sorted(took)


def _told(took: list[float]) -> str:
    return f"{statistics.median(took):.3f} ms CPU, p99 {took[int(len(took) * 0.99)]:.3f} ms"


def run() -> list[tuple[str, str]]:
    figures = []
    for name, large in (("usual", False), ("large", True)):
        document = _document(large=large)
        assert problems_in(document) == []
        resource = read_resource(document)
        figures.append((f"check a {name} DataCite document", _told(_milliseconds(partial(problems_in, document)))))
        figures.append(
            (f"{name} document to XML and back", _told(_milliseconds(lambda one=resource: from_xml(to_xml(one)))))
        )
    resource = read_resource(_document(large=False))
    subject = Subject(
        handle="21.T99999/x",
        ark="ark:/99999/x",
        doi=resource.doi,
        resolver_url="https://pid.example.org/21.T99999/x",
        target="https://repository.example.org/records/r",
        kind=None,
        created_at=_NOW,
        updated_at=_NOW,
        resource=resource,
    )
    bibliography = Bibliography()
    for style in _STYLES:
        item = partial(csl_item, subject, resource)
        first = _milliseconds(lambda one=style, made=item: Bibliography().cite("x", one, "en-US", made), times=5)
        kept = _milliseconds(lambda one=style, made=item: bibliography.cite("x", one, "en-US", made), times=2000)
        figures.append(
            (f"citation in {style}: the first", f"{statistics.median(first):.1f} ms CPU with its style")
        )
        figures.append((f"citation in {style}: kept", _told(kept)))
    return figures


if __name__ == "__main__":
    for name, figure in run():
        print(f"{name:<60} {figure}")
