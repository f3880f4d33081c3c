"""Domains over CDMI (1.1.1, clause 10). Everyone sees them and who their members are; operators change them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from indigo_kernel.auth.dependency import Who
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.http.openapi import responses
from indigo_kernel.problems import (
    BadRequest,
    Conflict,
    Forbidden,
    NotAcceptable,
    NotFound,
    TooLarge,
    Unauthenticated,
)

from indigo_qos_gateway.api import negotiation, values
from indigo_qos_gateway.api.cdmi_json import children_fields, respond
from indigo_qos_gateway.api.deps import About, Here, Service, Target
from indigo_qos_gateway.api.media import DOMAIN_WRITES, answers, bodies
from indigo_qos_gateway.api.negotiation import CONTAINER, DOMAIN, OBJECT, CdmiRoute, Dialect, negotiate
from indigo_qos_gateway.api.schemas import CdmiContainer, CdmiDomain, CdmiDomainWrite, CdmiObject
from indigo_qos_gateway.application.documents import instant
from indigo_qos_gateway.application.domains import (
    change_domain,
    get_domain,
    put_domain,
    put_member,
    remove_domain,
    remove_member,
)
from indigo_qos_gateway.domain.domain import DOMAINS, MEMBERS, SUMMARY, Domain, Totals
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.metadata import selected
from indigo_qos_gateway.domain.object_id import object_id_of
from indigo_qos_gateway.domain.paths import ROOT, name, parent
from indigo_qos_gateway.domain.selection import Selection
from indigo_qos_gateway.domain.storage import CAPABILITIES

router = APIRouter(
    route_class=CdmiRoute, tags=["CDMI"], responses=responses(BadRequest, NotFound, Unauthenticated, Forbidden)
)

BELOW = DOMAINS + "/{path:tree}"
_CUMULATIVE = "cumulative"
_ALL = Selection(None)
_READS = responses(NotAcceptable) | answers(200, DOMAIN, CONTAINER, OBJECT)


@router.get(DOMAINS, response_class=Response, response_model=None, responses=_READS)
async def read_domains(request: Request, here: Here, who: Who, about: About) -> Response:
    """The root domain: what nobody gave to another one belongs to it."""
    return await _read(request, here, who, about)


@router.get(BELOW, response_class=Response, response_model=None, responses=_READS)
async def read_domain(request: Request, here: Here, who: Who, about: About) -> Response:
    """A domain, its members (`cdmi_domain_members`), or how much belongs to it (`cdmi_domain_summary/cumulative`).

    What is in mounts that are not shown to the one who asks does not count.
    A member is a group as a trusted issuer tells it; the issuers are there as the delegations they are.
    """
    return await _read(request, here, who, about)


@router.put(
    BELOW,
    status_code=204,
    response_class=Response,
    response_model=None,
    responses=responses(Conflict, TooLarge) | answers(201, DOMAIN, OBJECT),
    openapi_extra=bodies(DOMAIN_WRITES),
)
async def write_domain(request: Request, here: Here, who: Who, about: About) -> Response:
    """Create (201) or change (204) a domain, or make a group a member of one (`operator`)."""
    dialect = negotiate(request)
    who.require(Scope.OPERATOR)
    domain, inside = _split(about.path)
    _check_type(request, dialect, DOMAIN if inside is None else OBJECT)
    written = values.parsed(await values.body_text(request), CdmiDomainWrite)
    if inside is None:
        if dialect.strict and not about.slash:
            raise BadRequest("A domain is written with a slash at its end")
        names = about.selection.metadata() if about.selection.fields else None
        made, new = await put_domain(here.gateway, domain, written.metadata, names)
        if not new:
            return Response(status_code=204, headers=dialect.headers)
        answer = await _domain(here, made, _ALL, dialect)
        return respond(answer, dialect, DOMAIN, 201)
    if inside[0] != MEMBERS or len(inside) != 2 or inside[1] in _issuers(here):
        raise BadRequest(f"What can be written in a domain is {MEMBERS}/ and a name")
    new = await put_member(here.gateway, domain, inside[1], written.metadata)
    if not new:
        return Response(status_code=204, headers=dialect.headers)
    return respond(
        _member(here, about.path, _of_group(written.metadata["cdmi_member_name"])), dialect, OBJECT, 201
    )


@router.patch(
    BELOW, status_code=204, responses=responses(TooLarge), openapi_extra=bodies({DOMAIN: CdmiDomainWrite})
)
async def update_domain(request: Request, here: Here, who: Who, about: About) -> Response:
    """Change some metadata of a domain (`operator`, CDMI 2.0): those given are set, null removes, others stay."""
    dialect = negotiate(request)
    negotiation.check_patch(dialect)
    who.require(Scope.OPERATOR)
    domain, inside = _split(about.path)
    if inside is not None:
        raise BadRequest("What is in a domain is written as a whole, with PUT")
    _check_type(request, dialect, DOMAIN)
    written = values.parsed(await values.body_text(request), CdmiDomainWrite)
    await change_domain(here.gateway, domain, written.metadata)
    return Response(status_code=204, headers=dialect.headers)


@router.delete(BELOW, status_code=204, responses=responses(Conflict))
async def delete_domain(request: Request, here: Here, who: Who, about: About) -> Response:
    """Remove a domain nothing belongs to, or one that names its heir; or one of its members (`operator`)."""
    dialect = negotiate(request)
    who.require(Scope.OPERATOR)
    domain, inside = _split(about.path)
    if inside is None:
        await remove_domain(here.gateway, domain)
    elif inside[0] == MEMBERS and len(inside) == 2:
        await remove_member(here.gateway, domain, inside[1])
    else:
        raise BadRequest("This is a part of every domain")
    return Response(status_code=204, headers=dialect.headers)


async def domain_by_id(
    request: Request, here: Service, identifier: str, selection: Selection, dialect: Dialect
) -> Response | None:
    """The answer about the domain with this identifier."""
    async with here.gateway.work() as work:
        domain = await work.domains.by_id(identifier)
    if domain is None and identifier.upper() == object_id_of(here.gateway.enterprise, DOMAINS):
        async with here.gateway.work() as work:
            domain = await get_domain(here.gateway, work, DOMAINS)
    if domain is None:
        return None
    negotiation.check_acceptable(request, dialect, DOMAIN)
    return respond(await _domain(here, domain, selection, dialect), dialect, DOMAIN)


async def _read(request: Request, here: Service, who: Principal, about: Target) -> Response:
    dialect = negotiate(request)
    path, inside = _split(about.path)
    async with here.gateway.work() as work:
        domain = await get_domain(here.gateway, work, path)
        if domain is None:
            raise ObjectNotFound(f"{path}/")
        now, totals = work.now, None
        if inside == [SUMMARY, _CUMULATIVE]:
            totals = await work.domains.totals(path, now, here.access.places(who))
    if inside is None:
        negotiation.check_acceptable(request, dialect, DOMAIN)
        return respond(await _domain(here, domain, about.selection, dialect), dialect, DOMAIN)
    if len(inside) == 1:
        negotiation.check_acceptable(request, dialect, CONTAINER)
        names = [_CUMULATIVE] if inside[0] == SUMMARY else sorted([*domain.members, *_issuers(here)])
        return respond(_container(here, about.path, names, about.selection, dialect), dialect, CONTAINER)
    negotiation.check_acceptable(request, dialect, OBJECT)
    if totals is not None:
        return respond(_summary(here, about.path, domain, totals, now, about.selection), dialect, OBJECT)
    found = _issuers(here).get(inside[1])
    if inside[1] in domain.members:
        found = _of_group(domain.members[inside[1]])
    if inside[0] != MEMBERS or len(inside) != 2 or found is None:
        raise ObjectNotFound(about.path)
    return respond(_member(here, about.path, found, about.selection), dialect, OBJECT)


def _split(path: str) -> tuple[str, list[str] | None]:
    """The path of a domain, and the names of what is asked for in it."""
    segments = path.split("/")
    for place, segment in enumerate(segments):
        if segment in {MEMBERS, SUMMARY}:
            return "/".join(segments[:place]), segments[place:]
    return path, None


def _check_type(request: Request, dialect: Dialect, cdmi_type: str) -> None:
    body_type = negotiation.content_type(request)
    if body_type != cdmi_type and (dialect.strict or body_type not in {"", "application/json"}):
        raise BadRequest(f"The body is {cdmi_type}, not {body_type or 'untyped'}")


async def _domain(here: Service, domain: Domain, selection: Selection, dialect: Dialect) -> CdmiDomain:
    async with here.gateway.work() as work:
        inside = await work.domains.inside(domain.path)
        above = await get_domain(here.gateway, work, parent(domain.path)) if domain.path != DOMAINS else None
    names = [SUMMARY, MEMBERS, *(name(each.path) for each in inside)]
    shown = {**domain.metadata, "cdmi_authentication_methods": "anonymous, bearer"}
    fields: dict[str, Any] = {
        "objectType": DOMAIN,
        "objectID": domain.object_id,
        "objectName": dialect.slash(name(domain.path)),
        "parentURI": ROOT if above is None else dialect.slash(above.path),
        "domainURI": dialect.slash(domain.path),
        "capabilitiesURI": dialect.slash(f"{CAPABILITIES}/domain"),
        "metadata": selected(shown, selection.metadata()),
        **children_fields([each + ("/" if dialect.strict else "") for each in names], selection),
    }
    if above is not None:
        fields["parentID"] = above.object_id
    return CdmiDomain(**{key: each for key, each in fields.items() if selection.wants(key)})


def _container(
    here: Service, path: str, names: list[str], selection: Selection, dialect: Dialect
) -> CdmiContainer:
    fields = {
        "objectType": CONTAINER,
        **_identity(here, path, dialect.slash(name(path))),
        "completionStatus": "Complete",
        "metadata": {},
        **children_fields(names, selection),
    }
    return CdmiContainer(**{key: each for key, each in fields.items() if selection.wants(key)})


def _member(here: Service, path: str, metadata: dict[str, str], selection: Selection = _ALL) -> CdmiObject:
    fields = {
        "objectType": OBJECT,
        **_identity(here, path, name(path)),
        "completionStatus": "Complete",
        "mimetype": "application/json",
        "metadata": selected(metadata, selection.metadata()),
    }
    return CdmiObject(**{key: each for key, each in fields.items() if selection.wants(key)})


def _summary(
    here: Service, path: str, domain: Domain, totals: Totals, now: datetime, selection: Selection
) -> CdmiObject:
    """What belongs to the domain now; how often it was read or written nobody counts."""
    known = {
        "cdmi_domainURI": f"{domain.path}/",
        "cdmi_summary_start": instant(domain.created_at),
        "cdmi_summary_end": instant(now),
        "cdmi_summary_objecthours": f"{totals.hours:.3f}",
        "indigo_summary_objects": str(totals.objects),
        "indigo_summary_containers": str(totals.containers),
        "indigo_summary_queues": str(totals.queues),
    }
    text = json.dumps(known)
    fields = {
        "objectType": OBJECT,
        **_identity(here, path, name(path)),
        "completionStatus": "Complete",
        "mimetype": "application/json",
        "metadata": {},
        "valuerange": f"0-{len(text) - 1}",
        "valuetransferencoding": "utf-8",
        "value": text,
    }
    return CdmiObject(**{key: each for key, each in fields.items() if selection.wants(key)})


def _identity(here: Service, path: str, shown: str) -> dict[str, str]:
    return {
        "objectID": object_id_of(here.gateway.enterprise, path),
        "objectName": shown,
        "parentURI": f"{parent(path)}/",
        "domainURI": f"{_split(path)[0]}/",
    }


def _issuers(here: Service) -> dict[str, dict[str, str]]:
    """The trusted issuers as members: they say who somebody is and in which groups."""
    return {
        f"issuer-{number}": {
            "cdmi_member_enabled": "true",
            "cdmi_member_type": "delegation",
            "cdmi_member_name": issuer,
            "cdmi_delegation_URI": issuer,
        }
        for number, issuer in enumerate(here.issuers, 1)
    }


def _of_group(group: str) -> dict[str, str]:
    return {"cdmi_member_enabled": "true", "cdmi_member_type": "group", "cdmi_member_name": group}
