"""Data objects and containers over CDMI (1.1.1, clauses 6 to 9), in SNIA's and in INDIGO's dialect."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from indigo_contracts.problems import FieldError
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
    Unavailable,
)

from indigo_qos_gateway.api import negotiation, values
from indigo_qos_gateway.api.cdmi_json import container_json, object_json, respond
from indigo_qos_gateway.api.deps import About, Here, Service, Target
from indigo_qos_gateway.api.negotiation import CONTAINER, OBJECT, CdmiRoute, Dialect, negotiate
from indigo_qos_gateway.api.routes_capabilities import capability_response
from indigo_qos_gateway.api.schemas import CdmiContainer, CdmiObject, CdmiWrite
from indigo_qos_gateway.application.capabilities import capabilities
from indigo_qos_gateway.application.copying import copy, move
from indigo_qos_gateway.application.objects import OCTETS, Change, View
from indigo_qos_gateway.domain.errors import CapabilitiesNotFound, ObjectNotFound, UnknownClass
from indigo_qos_gateway.domain.paths import check_name_is_free, join, parse_text
from indigo_qos_gateway.domain.ranges import parse_content_range
from indigo_qos_gateway.domain.selection import Selection
from indigo_qos_gateway.domain.storage import ObjectType, Status

TREE = "/{path:path}"
"""Every path; the dependency ``About`` reads it."""

BY_ID = "/cdmi_objectid/"
_ALL = Selection(None)

router = APIRouter(
    route_class=CdmiRoute,
    tags=["CDMI"],
    responses=responses(BadRequest, NotFound, Unauthenticated, Forbidden, Unavailable),
)


@dataclass(frozen=True, slots=True)
class _Put:
    """One PUT: who sends it, what it is about, and what is there now."""

    here: Service
    who: Principal
    request: Request
    about: Target
    dialect: Dialect
    before: Status | None
    patch: bool = False
    identifier: str | None = None


@router.get(TREE, response_model=CdmiObject | CdmiContainer, responses=responses(NotAcceptable), status_code=200)
async def read_object(request: Request, here: Here, who: Who, about: About) -> Response:
    """A data object or a container, whole or the fields named in the query: `?objectName;children:0-2`.

    Metadata are open to everyone, but for mounts that belong to somebody; the value needs the right to read it.
    Without the version header, an `Accept` that names no CDMI type, or a `Range`, gets the plain bytes. An object
    on tape only answers 503 for its value and is not recalled by that.
    """
    dialect = negotiate(request)
    if about.path.startswith(BY_ID):
        identifier = about.path.removeprefix(BY_ID)
        for capability in capabilities(here.gateway.chooser, here.gateway.enterprise):
            if capability.object_id == identifier.upper():
                return capability_response(here, capability, about.selection, dialect)
        path = await here.gateway.path_of(identifier)
        here.access.check_see(who, [path])
        view = await here.gateway.view(path)
    else:
        here.access.check_see(who, [about.path])
        view = await here.gateway.view(about.path)
        redirect = _check_slash(request, about, dialect, view.status)
        if redirect is not None:
            return redirect
    if view.status.object_type is ObjectType.CONTAINER:
        negotiation.check_acceptable(request, dialect, CONTAINER)
        return respond(container_json(view, about.selection, dialect, here.polling_ms), dialect, CONTAINER)
    if negotiation.wants_bytes(request, dialect):
        here.access.check_read(who, view.status.path)
        return await values.bytes_response(here.gateway, view, request, dialect)
    negotiation.check_acceptable(request, dialect, OBJECT)
    return await _object(here, who, view, about.selection, dialect)


@router.put(TREE, response_model=CdmiObject | CdmiContainer, responses=responses(Conflict, TooLarge))
async def write_object(request: Request, here: Here, who: Who, about: About) -> Response:
    """Create (201) or change (204) a data object or a container.

    With a CDMI type the body is JSON; `capabilitiesURI` in it asks for another storage class, which takes place
    after the answer. With any other type the body is the value itself.
    """
    dialect = negotiate(request)
    if about.path.startswith(BY_ID):
        about = replace(about, path=await here.gateway.path_of(about.path.removeprefix(BY_ID)))
    before = await here.gateway.exists(about.path)
    put = _Put(here, who, request, about, dialect, before)
    body_type = negotiation.content_type(request)
    if body_type in {OBJECT, CONTAINER} or (body_type == "application/json" and not dialect.strict):
        return await _put_json(put, body_type)
    if dialect.strict:
        raise BadRequest(f"With a CDMI version the body is {OBJECT} or {CONTAINER}, not {body_type or 'untyped'}")
    return await _put_bytes(put)


@router.patch(TREE, status_code=204, responses=responses(Conflict, TooLarge))
async def update_object(request: Request, here: Here, who: Who, about: About) -> Response:
    """Change parts of what is there (CDMI 2.0): the metadata given are set, those given as null are removed.

    Everything else is as with PUT. Nothing is created.
    """
    dialect = negotiate(request)
    if dialect.strict and not (dialect.version or "").startswith("2."):
        raise BadRequest("PATCH is of CDMI 2.0; this version changes objects with PUT")
    if about.path.startswith(BY_ID):
        about = replace(about, path=await here.gateway.path_of(about.path.removeprefix(BY_ID)))
    before = await here.gateway.exists(about.path)
    if before is None:
        raise ObjectNotFound(about.path)
    return await _put_json(_Put(here, who, request, about, dialect, before, patch=True), _json_type(request))


@router.post(
    TREE,
    status_code=201,
    response_class=Response,
    response_model=None,
    response_description="Made. The object where the body was CDMI JSON, nothing where it was the value itself",
    responses=responses(Conflict, TooLarge),
)
async def create_object(request: Request, here: Here, who: Who, about: About) -> Response:
    """A new data object in a container, named by its identifier (CDMI 1.1.1, clauses 6.3 and 9.6)."""
    dialect = negotiate(request)
    status = await here.gateway.exists(about.path)
    if status is None or status.object_type is not ObjectType.CONTAINER:
        raise ObjectNotFound(about.path)
    identifier = here.gateway.new_id()
    path = join(about.path, identifier)
    put = _Put(here, who, request, Target(path, slash=False, selection=_ALL), dialect, None, identifier=identifier)
    body_type = negotiation.content_type(request)
    if body_type == OBJECT or (body_type == "application/json" and not dialect.strict):
        answer = await _put_json(put, OBJECT)
    elif dialect.strict:
        raise BadRequest(f"Only {OBJECT} can be made in a container here, not {body_type or 'an untyped body'}")
    else:
        answer = await _put_bytes(put)
    answer.headers["location"] = f"{request.app.state.public_url}{quote(path)}"
    return answer


@router.delete(TREE, status_code=204, responses=responses(Conflict))
async def delete_object(request: Request, here: Here, who: Who, about: About) -> Response:
    """Remove a data object, or a container with everything in it."""
    dialect = negotiate(request)
    path = about.path
    if path.startswith(BY_ID):
        path = await here.gateway.path_of(path.removeprefix(BY_ID))
    check_name_is_free(path, here.own_names)
    status = await here.gateway.exists(path)
    container = status is not None and status.object_type is ObjectType.CONTAINER
    here.access.check_write(who, path, container=container)
    if status is None:
        raise ObjectNotFound(path)
    await here.gateway.delete(path)
    return Response(status_code=204, headers=dialect.headers)


def _check_slash(request: Request, about: Target, dialect: Dialect, status: Status) -> Response | None:
    """In the strict dialect a container is written with a slash (301 without), a data object never."""
    if not dialect.strict:
        return None
    if status.object_type is ObjectType.DATAOBJECT and about.slash:
        raise ObjectNotFound(f"{about.path}/")
    if status.object_type is ObjectType.CONTAINER and not about.slash:
        query: bytes = request.scope["query_string"]
        target = quote(request.url.path) + "/" + (f"?{query.decode()}" if query else "")
        return Response(status_code=301, headers={"location": target, **dialect.headers})
    return None


async def _object(here: Service, who: Principal, view: View, selection: Selection, dialect: Dialect) -> Response:
    """The JSON of a data object; with its value when that was asked for by name, or can be had at once."""
    value = None
    if selection.names("value"):
        here.access.check_read(who, view.status.path)
        value = await values.value_of(here.gateway, view, selection.span("value"))
    elif selection.wants("value") and dialect.strict and _at_hand(here, who, view):
        value = await values.value_of(here.gateway, view, None)
    return respond(object_json(view, selection, dialect, here.polling_ms, value), dialect, OBJECT)


def _at_hand(here: Service, who: Principal, view: View) -> bool:
    status = view.status
    return status.readable and status.size <= values.MOST_JSON_BYTES and here.access.may_read(who, status.path)


async def _put_json(put: _Put, body_type: str) -> Response:
    container = _is_container(put, body_type)
    if put.dialect.strict and container != put.about.slash:
        raise BadRequest("A container is written with a slash at its end, a data object without")
    _authorize(put, container=container)
    written, text = await values.read_json(put.request)
    values.refuse_unsupported(json.loads(text))
    kind = ObjectType.CONTAINER if container else ObjectType.DATAOBJECT
    change = Change(
        metadata=written.metadata,
        metadata_names=_metadata_names(put, written),
        identifier=put.identifier,
        storage_class=_class_asked(put.here, written, kind),
        groups=put.who.groups,
        operator=put.who.has(Scope.OPERATOR),
    )
    gateway, path, actor = put.here.gateway, put.about.path, put.who.actor
    if written.copy_from is not None or written.move_from is not None:
        return await _put_copy(put, written, change, kind)
    if container:
        view = await gateway.put_container(path, change, put.before, actor)
        if put.before is None:
            answer = container_json(view, _ALL, put.dialect, put.here.polling_ms)
            return respond(answer, put.dialect, CONTAINER, 201)
        return Response(status_code=204, headers=put.dialect.headers)
    span = put.about.selection.span("value")
    data = values.decoded(written, partial=span is not None)
    fresh = put.before is None
    mimetype = written.mimetype or ("text/plain" if fresh else None)
    encoding = None if span else written.valuetransferencoding or ("utf-8" if data is not None else None)
    change = replace(
        change,
        chunks=None if data is None else values.once(data),
        mimetype=mimetype,
        encoding=encoding or ("utf-8" if fresh else None),
        span=span,
    )
    view = await gateway.put_object(path, change, put.before, actor)
    if fresh:
        return respond(object_json(view, _ALL, put.dialect, put.here.polling_ms, None), put.dialect, OBJECT, 201)
    return Response(status_code=204, headers=put.dialect.headers)


async def _put_copy(put: _Put, written: CdmiWrite, change: Change, kind: ObjectType) -> Response:
    """A new object or container out of another one (clauses 8.2.6 and 9.2.6)."""
    gateway, path, who = put.here.gateway, put.about.path, put.who
    given = [name for name, each in (("copy", written.copy_from), ("move", written.move_from)) if each]
    if len(given) > 1 or written.value is not None:
        raise BadRequest("One of value, copy and move makes an object")
    if put.before is not None:
        raise Conflict(f"{path} is there already")
    try:
        source = parse_text(written.copy_from or written.move_from or "")
    except BadRequest as error:
        error.errors.append(FieldError(pointer=f"/{given[0]}", detail=error.detail, code="path"))
        raise
    put.here.access.check_read(who, source)
    status = await gateway.exists(source)
    if written.move_from is not None:
        check_name_is_free(source, put.here.own_names)
        put.here.access.check_write(who, source, container=kind is ObjectType.CONTAINER)
    if status is not None and status.object_type is not kind:
        raise Conflict(f"{source} is a {status.object_type}, not a {kind}")
    do = copy if written.copy_from is not None else move
    view = await do(gateway, source, path, replace(change, mimetype=written.mimetype), who.actor)
    polling_ms = put.here.polling_ms
    if kind is ObjectType.CONTAINER:
        return respond(container_json(view, _ALL, put.dialect, polling_ms), put.dialect, CONTAINER, 201)
    return respond(object_json(view, _ALL, put.dialect, polling_ms, None), put.dialect, OBJECT, 201)


async def _put_bytes(put: _Put) -> Response:
    gateway, path, actor = put.here.gateway, put.about.path, put.who.actor
    _authorize(put, container=put.about.slash)
    if put.about.slash:
        async for _ in values.body_of(put.request):
            raise BadRequest("A container has no value; leave the slash at the end out to store an object")
        await gateway.put_container(path, Change(), put.before, actor)
        return Response(status_code=201 if put.before is None else 204, headers=put.dialect.headers)
    place = put.request.headers.get("content-range")
    mimetype = put.request.headers.get("content-type") or OCTETS
    change = Change(
        chunks=values.body_of(put.request),
        identifier=put.identifier,
        groups=put.who.groups,
        mimetype=None if place else mimetype,
        encoding=None if place else values.encoding_of(mimetype),
        span=parse_content_range(place) if place else None,
    )
    await gateway.put_object(path, change, put.before, actor)
    return Response(status_code=201 if put.before is None else 204, headers=put.dialect.headers)


def _metadata_names(put: _Put, written: CdmiWrite) -> tuple[str, ...] | None:
    if put.patch:
        return tuple(written.metadata or {})
    return put.about.selection.metadata() if put.about.selection.fields else None


def _json_type(request: Request) -> str:
    """The type of a CDMI body. Raises ``BadRequest`` for any other."""
    body_type = negotiation.content_type(request)
    if body_type not in {OBJECT, CONTAINER, "application/json"}:
        raise BadRequest(f"The body is {OBJECT} or {CONTAINER}, not {body_type or 'untyped'}")
    return body_type


def _is_container(put: _Put, body_type: str) -> bool:
    """What is there decides in the INDIGO dialect: gfal2 sends the type of objects for containers too."""
    if put.dialect.strict:
        return body_type == CONTAINER
    if put.before is not None:
        return put.before.object_type is ObjectType.CONTAINER
    return body_type == CONTAINER or put.about.slash


def _authorize(put: _Put, *, container: bool) -> None:
    """Raise unless the sender may do this; names nobody may have are told before the token is looked at."""
    if put.before is None:
        check_name_is_free(put.about.path, put.here.own_names)
        put.here.access.check_write(put.who, put.about.path, container=container, new=True)
    else:
        put.here.access.check_transition(put.who, put.about.path, container=container)


def _class_asked(here: Service, written: CdmiWrite, kind: ObjectType) -> str | None:
    if written.capabilitiesURI is None:
        return None
    try:
        found = here.gateway.mounts.class_named(written.capabilitiesURI)
    except CapabilitiesNotFound as error:
        raise _bad_class(error.detail) from None
    if found.object_type is not kind:
        raise _bad_class(f"{written.capabilitiesURI} is a class for a {found.object_type}, this is a {kind}")
    return found.name


def _bad_class(detail: str) -> UnknownClass:
    return UnknownClass(detail, errors=[FieldError(pointer="/capabilitiesURI", detail=detail, code="unknown")])
