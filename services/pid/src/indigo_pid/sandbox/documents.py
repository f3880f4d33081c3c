"""JSON:API documents in DataCite's shape (DataCite REST API: DOI responses and error objects)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from indigo_pid.sandbox.states import Flaw, State
from indigo_pid.sandbox.store import Stored

MEDIA_TYPE = "application/vnd.api+json; charset=utf-8"

NOT_FOUND = "The resource you are looking for doesn't exist."

_LISTS = (
    "identifiers", "alternateIdentifiers", "creators", "titles", "subjects", "contributors", "dates",
    "relatedIdentifiers", "relatedItems", "sizes", "formats", "rightsList", "descriptions", "geoLocations",
    "fundingReferences",
)  # fmt: skip
_SINGLES = (
    "publicationYear", "language", "version", "url", "contentUrl", "schemaVersion", "reason",
)  # fmt: skip


class Answer(Exception):
    """An error answer: ``errors`` are DataCite's error objects."""

    def __init__(
        self, status: int, errors: Sequence[dict[str, str]], *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(status, errors)
        self.status = status
        self.errors = list(errors)
        self.headers = headers


def refusal(status: int, title: str, *, headers: dict[str, str] | None = None) -> Answer:
    """An error about the request."""
    return Answer(status, [{"status": str(status), "title": title}], headers=headers)


def invalid(doi: str, found: Sequence[Flaw]) -> Answer:
    """A 422 about attributes of a DOI."""
    return Answer(422, [{"source": flaw.source, "title": flaw.title, "uid": doi} for flaw in found])


def resource(stored: Stored, client: str, *, publisher_object: bool, affiliation_objects: bool) -> dict[str, Any]:
    """The resource object of a DOI. Without the flags publisher and affiliations are bare names."""
    written = stored.attributes
    prefix, _, suffix = stored.doi.partition("/")
    attributes: dict[str, Any] = {"doi": stored.doi, "prefix": prefix, "suffix": suffix}
    attributes |= {name: written.get(name) or [] for name in _LISTS}
    attributes |= {name: written.get(name) for name in _SINGLES}
    for role in ("creators", "contributors"):
        attributes[role] = [_agent(agent, objects=affiliation_objects) for agent in attributes[role]]
    attributes |= {
        "publisher": _publisher(written.get("publisher"), as_object=publisher_object),
        "container": written.get("container") or {},
        "types": written.get("types") or {},
        "source": written.get("source") or "api",
        "isActive": stored.state is State.FINDABLE,
        "state": stored.state.value,
        "metadataVersion": stored.metadata_version - 1,
        "created": _instant(stored.created),
        "registered": _instant(stored.registered),
        "published": str(written["publicationYear"]) if written.get("publicationYear") else None,
        "updated": _instant(stored.updated),
    }
    return {
        "id": stored.doi,
        "type": "dois",
        "attributes": attributes,
        "relationships": {"client": {"data": {"id": client.lower(), "type": "clients"}}},
    }


def _agent(agent: dict[str, Any], *, objects: bool) -> dict[str, Any]:
    affiliations = agent.get("affiliation") or []
    if isinstance(affiliations, str | dict):
        affiliations = [affiliations]
    told: list[Any] = [one if isinstance(one, dict) else {"name": one} for one in affiliations]
    if not objects:
        told = [one.get("name") for one in told]
    return {"nameIdentifiers": [], **agent, "affiliation": told}


def _publisher(publisher: object, *, as_object: bool) -> object:
    name = publisher.get("name") if isinstance(publisher, dict) else publisher
    if not as_object:
        return name
    return publisher if isinstance(publisher, dict) else {"name": name}


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
