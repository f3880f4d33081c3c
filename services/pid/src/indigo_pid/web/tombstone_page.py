"""What is answered where something was withdrawn: 410, with all that is still known of it."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request, Response
from indigo_kernel.problems import Gone
from indigo_ui import Pages
from indigo_ui.negotiation import wants_page

from indigo_pid.application.describe import Description
from indigo_pid.citation.formats import formats_for
from indigo_pid.citation.subject import main_title
from indigo_pid.web.told import ToldTombstone


def tombstone_answer(
    request: Request, pages: Pages, described: Description, citation: str | None, headers: Mapping[str, str]
) -> Response:
    """The page for people; for others raises ``Gone``. ``citation`` stands in where nobody gave one."""
    identifier = described.identifier
    told = ToldTombstone.of(identifier, citation)
    assert told is not None, "only what is gone has a tombstone"
    if not wants_page(request.headers.get("accept")):
        raise Gone(
            f"It was withdrawn: {told.reason}",
            headers=dict(headers),
            **told.model_dump(mode="json"),
            identifier=identifier.snapshot().model_dump(mode="json"),
        )
    resource, _ = described.read()
    record = identifier.record
    title = record.title if record else main_title(resource) if resource else None
    base_url = identifier.resolver_url.removesuffix(identifier.handle)
    return pages.response(
        "tombstone.html",
        {
            "title": title or "What this identifier named is gone",
            "identifier": identifier,
            "tombstone": told,
            "versions": None if identifier.concept is None else f"{base_url}{identifier.concept}",
            "record": record,
            "creators": [] if record or resource is None else resource.creators,
            "formats": [
                (one.title, f"{identifier.resolver_url}?format={one.name}") for one in formats_for(resource)
            ],
            "json_url": f"{base_url}api/identifiers/{identifier.handle}",
            "history_url": f"{base_url}api/identifiers/{identifier.handle}/history",
        },
        status_code=410,
        headers=headers,
    )
