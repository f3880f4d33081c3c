"""Typed links around an identifier (RFC 9264, application/linkset+json; FAIR Signposting Profile)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from indigo_pid.citation.schema_org import VOCABULARY, schema_org, work_type
from indigo_pid.citation.subject import Subject

Links = dict[str, Any]


def linkset(subject: Subject, described_by: Iterable[tuple[str, str]]) -> dict[str, list[Links]]:
    """Links of the page it leads to, or of the name itself when it leads nowhere any more.

    ``described_by`` has the address and the media type of each description.
    """
    told = schema_org(subject)
    metadata = [{"href": address, "type": media_type} for address, media_type in described_by]
    links: Links = {
        "anchor": subject.target or subject.resolver_url,
        "cite-as": [{"href": subject.url}],
        "type": [{"href": f"{VOCABULARY}{work_type(subject)}"}],
        "author": [{"href": one["@id"]} for one in told.get("author", []) if "@id" in one],
        "license": [{"href": address} for address in told.get("license", [])],
        "describedby": metadata,
    }
    back = [{"anchor": one["href"], "describes": [{"href": links["anchor"]}]} for one in metadata]
    return {"linkset": [{name: value for name, value in links.items() if value}, *back]}
