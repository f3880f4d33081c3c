"""The resolver: a name in, a redirect out.

It redirects to the stored target exactly as it was checked when it was set; nothing of the request is added.
302 and not 301, because targets change and a 301 is cached for good (RFC 9110, 15.4.2 and 15.4.3).
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from indigo_contracts.pid import IdentifierSnapshot, IdentifierState
from indigo_kernel.http.openapi import responses
from indigo_kernel.problems import Gone, NotFound
from indigo_ui import Pages
from indigo_ui.negotiation import wants_page
from starlette.convertors import Convertor, register_url_convertor

from indigo_pid.application.ports import NewWork
from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.names import Naming, parse_name

CACHE_SECONDS = 300

_PAGES = Pages("indigo_pid.web")

_LASTING = {"cache-control": f"public, max-age={CACHE_SECONDS}", "vary": "accept"}
_FLEETING = {"cache-control": "no-cache", "vary": "accept"}
"""A name that is unknown or reserved now may resolve in a moment."""


class _PidConvertor(Convertor[str]):
    """Matches paths that look like a handle, a DOI or an ARK, and none of the service's own."""

    regex = r"(?:[aA][rR][kK]:/?[^/]+|[0-9]+(?:\.[0-9A-Za-z]+)+)/.+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("pid", _PidConvertor())

PidName = Annotated[str, Path(max_length=2048, description="a handle, a DOI name, or an ARK")]
NoRedirect = Annotated[str | None, Query(description="present: show the record instead of going there")]


def resolver_routes(work: NewWork, naming: Naming) -> APIRouter:
    """``GET /{prefix}/{suffix}`` and ``GET /ark:{naan}/{name}``; HEAD is answered the same way."""
    router = APIRouter(tags=["resolver"])

    @router.get(
        "/{name:pid}",
        response_model=IdentifierSnapshot,
        responses={302: {"description": "It is there"}, **responses(NotFound, Gone)},
    )
    async def resolve_name(request: Request, name: PidName, noredirect: NoRedirect = None) -> Response:
        """Go where the identifier leads."""
        parsed = parse_name(name)
        if parsed is None:
            return _missing(request, name, "It is no handle, DOI or ARK.")
        async with work() as reading:
            identifier = await reading.identifiers.find(parsed)
        if identifier is None:
            return _missing(request, name, _why_unknown(naming, name))
        if identifier.state is IdentifierState.RESERVED:
            return _missing(
                request,
                name,
                "It is reserved for something that is not published yet, and will resolve once it is.",
            )
        if noredirect is not None:
            return Response(
                identifier.snapshot().model_dump_json(), media_type="application/json", headers=_LASTING
            )
        if identifier.state is IdentifierState.TOMBSTONED:
            return _gone(request, identifier)
        assert identifier.target is not None, "an active identifier has a target"
        return Response(status_code=302, headers={**_LASTING, "location": identifier.target})

    return router


def _why_unknown(naming: Naming, name: str) -> str:
    parsed = parse_name(name)
    if parsed is None or not naming.is_ours(parsed):
        return "Names under this prefix are not resolved here. Try https://hdl.handle.net, https://doi.org or https://n2t.net."
    if naming.is_mistyped(parsed):
        return "Its last character does not fit the others: a character is wrong or missing."
    return "It was never given to anything."


def _missing(request: Request, name: str, detail: str) -> Response:
    if wants_page(request.headers.get("accept")):
        context = {"title": "This identifier does not resolve", "subject": name, "detail": detail}
        return _PAGES.response("message.html", context, status_code=404, headers=_FLEETING)
    raise NotFound(detail, headers=_FLEETING)


def _gone(request: Request, identifier: Identifier) -> Response:
    record = identifier.record
    if not wants_page(request.headers.get("accept")):
        raise Gone(
            f"It was withdrawn: {identifier.reason}",
            headers=_LASTING,
            reason=identifier.reason,
            identifier=identifier.snapshot().model_dump(mode="json"),
        )
    return _PAGES.response(
        "tombstone.html",
        {
            "title": record.title if record else "What this identifier named is gone",
            "identifier": identifier,
            "record": record,
        },
        status_code=410,
        headers=_LASTING,
    )
