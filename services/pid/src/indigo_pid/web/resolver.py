"""The resolver: a name in, a redirect out.

It redirects to the stored target exactly as it was checked when it was set; nothing of the request is added but
the end of an ARK below a known one (``domain.passthrough``).
302 and not 301, because targets change and a 301 is cached for good (RFC 9110, 15.4.2 and 15.4.3).
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from indigo_contracts.pid import IdentifierState
from indigo_kernel.http.openapi import responses
from indigo_kernel.problems import Gone, NotAcceptable, NotFound
from indigo_ui import Pages
from indigo_ui.negotiation import wants_page
from starlette.convertors import Convertor, register_url_convertor

from indigo_pid.application.describe import describe_identifier
from indigo_pid.application.identifiers import Rules
from indigo_pid.application.ports import NewWork, Work
from indigo_pid.application.template_handles import template_values
from indigo_pid.citation.formats import FORMATS
from indigo_pid.domain.handle_values import URL, first_text
from indigo_pid.domain.names import Naming, parse_name
from indigo_pid.web.ark import below, kernel_record, wants_kernel_record
from indigo_pid.web.identifier_page import identifier_page
from indigo_pid.web.places import place_for
from indigo_pid.web.representations import Representations, asked_for
from indigo_pid.web.told import ToldIdentifier
from indigo_pid.web.tombstone_page import tombstone_answer

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
Locatt = Annotated[
    list[str] | None,
    Query(max_length=100, description="`name:value` of the place to go to, where there are several"),
]
NoRedirect = Annotated[str | None, Query(description="present: show the record instead of going there")]
Info = Annotated[str | None, Query(description="present: the same, as ARK resolvers call it")]
Wanted = Annotated[
    str | None,
    Query(
        alias="format",
        max_length=100,
        description="describe it instead of going there: " + ", ".join(one.name for one in FORMATS),
    ),
]
Style = Annotated[str | None, Query(max_length=200, description="style of a citation, as in the CSL repository")]
Locale = Annotated[str | None, Query(max_length=40, description="language of a citation, such as `de` or `pt-BR`")]

_DESCRIBED: dict[str, Any] = {
    "description": "The record, or the description that was asked for",
    "content": {media_type: {"schema": {}} for one in FORMATS for media_type in one.media_types},
}


def resolver_routes(work: NewWork, rules: Rules) -> APIRouter:
    """``GET /{prefix}/{suffix}`` and ``GET /ark:{naan}/{name}``; HEAD is answered the same way."""
    router = APIRouter(tags=["resolver"])
    representations = Representations()

    @router.get(
        "/{name:pid}",
        response_model=ToldIdentifier,
        responses={
            200: _DESCRIBED,
            302: {"description": "It is there"},
            **responses(NotFound, NotAcceptable, Gone),
        },
    )
    async def resolve_name(
        request: Request,
        name: PidName,
        noredirect: NoRedirect = None,
        info: Info = None,
        wanted: Wanted = None,
        style: Style = None,
        locale: Locale = None,
        locatt: Locatt = None,
    ) -> Response:
        """Go where the identifier leads, or describe what it names: by `Accept` or `?format=`."""
        shown = noredirect is not None or info is not None
        # Fields of one name are one list (RFC 9110, 5.3).
        asked = asked_for(",".join(request.headers.getlist("accept")), wanted, style, locale)
        parsed = parse_name(name)
        if parsed is None:
            return _missing(request, name, "It is no handle, DOI or ARK.")
        async with work() as reading:
            identifier = await reading.identifiers.find(parsed)
            passed = await _passed(reading, rules, name, shown=shown) if identifier is None else None
            described = None
            gone = identifier is not None and identifier.state is IdentifierState.TOMBSTONED
            if identifier is not None and (shown or gone or not asked.leads_away):
                described = await describe_identifier(reading, identifier)
        if passed is not None:
            return Response(status_code=302, headers={**_LASTING, "location": passed})
        if identifier is None:
            return _missing(request, name, _why_unknown(rules.naming, name))
        if identifier.state is IdentifierState.RESERVED:
            return _missing(
                request,
                name,
                "It is reserved for something that is not published yet, and will resolve once it is.",
            )
        if wants_kernel_record(request, name, info=info is not None):
            return kernel_record(identifier, _LASTING)
        if described is not None:
            answer = await representations.answer(request, described, asked, _LASTING)
            if answer is not None:
                return answer
            citation = await representations.usual_citation(described)
            if shown and wants_page(request.headers.get("accept")):
                return identifier_page(_PAGES, described, citation, _LASTING)
            if shown:
                return _told(ToldIdentifier.of(identifier, citation))
            if gone:
                return tombstone_answer(request, _PAGES, described, citation, _LASTING)
        place = place_for(identifier, locatt or ())
        if place is None:  # a handle may say other things and lead nowhere
            return _told(ToldIdentifier.of(identifier, None))
        return Response(status_code=302, headers={**_LASTING, "location": place})

    return router


async def _passed(work: Work, rules: Rules, name: str, *, shown: bool) -> str | None:
    """Where a name leads that was not given itself: an ARK below another, or a handle by a template.

    When it is to be ``shown`` that is where the values of such a handle are.
    """
    place = await below(work, name)
    if place is not None:
        return place
    values = await template_values(work, rules, name)
    url = None if values is None else first_text(values, URL)
    if values is not None and (shown or url is None):
        return f"{rules.naming.base_url}/api/handles/{quote(name, safe='/')}"
    return url


def _why_unknown(naming: Naming, name: str) -> str:
    parsed = parse_name(name)
    if parsed is None or not naming.is_ours(parsed):
        return "Names under this prefix are not resolved here. Try https://hdl.handle.net, https://doi.org or https://n2t.net."
    if naming.is_mistyped(parsed):
        return "Its last character does not fit the others: a character is wrong or missing."
    return "It was never given to anything."


def _told(told: ToldIdentifier) -> Response:
    return Response(told.model_dump_json(), media_type="application/json", headers=_LASTING)


def _missing(request: Request, name: str, detail: str) -> Response:
    if wants_page(request.headers.get("accept")):
        context = {"title": "This identifier does not resolve", "subject": name, "detail": detail}
        return _PAGES.response("message.html", context, status_code=404, headers=_FLEETING)
    raise NotFound(detail, headers=_FLEETING)
