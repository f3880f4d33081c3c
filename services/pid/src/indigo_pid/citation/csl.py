"""CSL-JSON (Citation Style Language 1.0.2, csl-data.json), which citation processors read."""

from __future__ import annotations

import re
from typing import Any

from indigo_pid.citation.subject import Subject, abstract, date_of, main_title, name_of
from indigo_pid.datacite.models import ItemCreator, Resource
from indigo_pid.datacite.vocabularies import ContributorType, DateType, ResourceType

_TYPES = {
    ResourceType.BOOK: "book",
    ResourceType.BOOK_CHAPTER: "chapter",
    ResourceType.COMPUTATIONAL_NOTEBOOK: "software",
    ResourceType.CONFERENCE_PAPER: "paper-conference",
    ResourceType.CONFERENCE_PROCEEDING: "book",
    ResourceType.DATASET: "dataset",
    ResourceType.DATA_PAPER: "article-journal",
    ResourceType.DISSERTATION: "thesis",
    ResourceType.IMAGE: "graphic",
    ResourceType.JOURNAL: "periodical",
    ResourceType.JOURNAL_ARTICLE: "article-journal",
    ResourceType.OUTPUT_MANAGEMENT_PLAN: "report",
    ResourceType.PEER_REVIEW: "review",
    ResourceType.POSTER: "speech",
    ResourceType.PREPRINT: "article",
    ResourceType.PRESENTATION: "speech",
    ResourceType.REPORT: "report",
    ResourceType.SOFTWARE: "software",
    ResourceType.SOUND: "song",
    ResourceType.STANDARD: "standard",
    ResourceType.TEXT: "report",
    ResourceType.AUDIOVISUAL: "motion_picture",
}
_OTHER_TYPE = "document"

_DATE = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01]))?)?(?:T.*)?")


def csl_item(subject: Subject, resource: Resource) -> dict[str, Any]:
    """The resource as one CSL item; ``id`` is the address to cite."""
    issued = date_of(resource, DateType.ISSUED, DateType.AVAILABLE)
    item = {
        "id": subject.url,
        "type": _TYPES.get(resource.types.resource_type_general, _OTHER_TYPE),
        "title": main_title(resource),
        "author": [_name(one) for one in resource.creators],
        "editor": _contributors(resource, ContributorType.EDITOR),
        "translator": _contributors(resource, ContributorType.TRANSLATOR),
        "issued": _date(issued) or {"date-parts": [[resource.publication_year]]},
        "submitted": _date(date_of(resource, DateType.SUBMITTED)),
        "abstract": abstract(resource),
        "publisher": resource.publisher.name,
        "genre": resource.types.resource_type,
        "DOI": subject.doi,
        "URL": subject.url,
        "version": resource.version,
        "language": resource.language,
        "keyword": ", ".join(one.subject for one in resource.subjects),
        "categories": [one.subject for one in resource.subjects],
        "license": next((one.rights_uri or one.rights for one in resource.rights_list), None),
    }
    return {name: value for name, value in item.items() if value}


def _name(agent: ItemCreator) -> dict[str, str]:
    name = name_of(agent)
    if name.family is None:
        return {"literal": name.literal}
    return {"family": name.family} | ({"given": name.given} if name.given else {})


def _contributors(resource: Resource, kind: ContributorType) -> list[dict[str, str]]:
    return [_name(one) for one in resource.contributors if one.contributor_type is kind]


def _date(text: str | None) -> dict[str, Any] | None:
    """A date, or the start and end of a range, in parts; ``None`` when it has another form."""
    matches = [_DATE.fullmatch(part) for part in (text or "").split("/")]
    if not text or not all(matches):
        return None
    return {"date-parts": [[int(part) for part in match.groups() if part] for match in matches if match]}
