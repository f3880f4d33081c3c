"""DOI states, the events between them, and what DataCite checks before it registers a DOI.

Sources: DataCite REST API (state machine of ``event``, validation messages), DataCite Metadata Schema 4.7
(mandatory properties; resourceTypeGeneral).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from indigo_pid.datacite.vocabularies import ResourceType


class State(StrEnum):
    DRAFT = "draft"
    REGISTERED = "registered"
    FINDABLE = "findable"


TRANSITIONS: dict[tuple[State, str], State] = {
    (State.DRAFT, "register"): State.REGISTERED,
    (State.DRAFT, "publish"): State.FINDABLE,
    (State.REGISTERED, "publish"): State.FINDABLE,
    (State.REGISTERED, "show"): State.FINDABLE,
    (State.FINDABLE, "hide"): State.REGISTERED,
}
"""Everything else leaves the state as it is, and is no error: DataCite does the same."""

WRITABLE = frozenset(
    {
        "url", "titles", "publisher", "publicationYear", "types", "dates", "subjects", "contentUrl", "sizes",
        "formats", "language", "descriptions", "rightsList", "source", "version", "schemaVersion", "reason",
        "creators", "contributors", "identifiers", "alternateIdentifiers", "relatedIdentifiers", "relatedItems",
        "fundingReferences", "geoLocations", "container",
    }
)  # fmt: skip
"""Attributes a client may write; others are ignored."""

OBJECT_LISTS: dict[str, str] = {
    "creators": "Creator",
    "titles": "Title",
    "contributors": "Contributor",
    "dates": "Date",
    "subjects": "Subject",
    "descriptions": "Description",
    "rightsList": "Rights",
    "alternateIdentifiers": "Alternate identifier",
    "relatedIdentifiers": "Related identifier",
    "relatedItems": "Related item",
    "fundingReferences": "Funding reference",
    "geoLocations": "Geolocation",
}
"""Attributes that are lists of objects, with the name an error message has for one of them."""

_RESOURCE_TYPES = frozenset(one.value for one in ResourceType)
_DOI = re.compile(r"10\.\d{4,9}/[-._;()/:a-zA-Z0-9*~$=]+")
_URL = re.compile(r"(?:ftp|http|https)://\S+")
_YEAR = re.compile(r"\d{4}")
_BLANK = "Can't be blank"


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong: ``source`` is the attribute."""

    source: str
    title: str


def after(state: State, event: object) -> State:
    """The state after ``event``, which may be anything a client wrote."""
    return TRANSITIONS.get((state, event), state) if isinstance(event, str) else state


def is_doi(doi: str) -> bool:
    """Whether DataCite takes ``doi`` as a new name."""
    return _DOI.fullmatch(doi) is not None


def flaws(doi: str, attributes: Mapping[str, Any], state: State) -> list[Flaw]:
    """What keeps ``attributes`` from being stored in ``state``; a draft needs only its name.

    One flaw for an attribute, as DataCite tells it.
    """
    found = _shape_flaws(attributes)
    if state is not State.DRAFT:
        for flaw in _missing(doi, attributes):
            if all(flaw.source != other.source for other in found):
                found.append(flaw)
    return found


def _shape_flaws(attributes: Mapping[str, Any]) -> list[Flaw]:
    found: list[Flaw] = []
    for name, called in OBJECT_LISTS.items():
        value = attributes.get(name)
        if value is None:
            continue
        if not isinstance(value, list):
            found.append(Flaw(name, f"{called} '{value}' should be an array of objects."))
            continue
        strange = next((item for item in value if not isinstance(item, dict)), None)
        if strange is not None:
            found.append(Flaw(name, f"{called} '{strange}' should be an object instead of a string."))
    url = attributes.get("url")
    if url and not (isinstance(url, str) and _URL.fullmatch(url)):
        found.append(Flaw("url", "Is invalid"))
    types = attributes.get("types")
    if types is not None and not isinstance(types, dict):
        found.append(Flaw("types", f"Types '{types}' should be an object instead of a string."))
    elif types and not _is_general_type(general := types.get("resourceTypeGeneral")):
        found.append(Flaw("types", f"Resource type general '{general}' is not supported."))
    return found


def _is_general_type(given: object) -> bool:
    return given is None or (isinstance(given, str) and given in _RESOURCE_TYPES)


def _missing(doi: str, attributes: Mapping[str, Any]) -> list[Flaw]:
    found: list[Flaw] = []
    if not attributes.get("url"):
        found.append(Flaw("url", _BLANK))
    for name, child, field in (("creators", "creator", "name"), ("titles", "title", "title")):
        items = attributes.get(name)
        named = (
            isinstance(items, list) and items and all(isinstance(one, dict) and one.get(field) for one in items)
        )
        if not named:
            found.append(Flaw(name, _no_child(doi, child)))
    if not _publisher_name(attributes.get("publisher")):
        found.append(Flaw("publisher", _BLANK))
    if not _YEAR.fullmatch(str(attributes.get("publicationYear", ""))):
        found.append(Flaw("publicationYear", _BLANK))
    types = attributes.get("types")
    if not (isinstance(types, dict) and types.get("resourceTypeGeneral")):
        found.append(Flaw("types", _BLANK))
    return found


def _publisher_name(publisher: object) -> object:
    return publisher.get("name") if isinstance(publisher, dict) else publisher


def _no_child(doi: str, child: str) -> str:
    return (
        f"DOI {doi}: Missing child element(s). Expected is"
        f" ( {{http://datacite.org/schema/kernel-4}}{child} ). at line 4, column 0"
    )
