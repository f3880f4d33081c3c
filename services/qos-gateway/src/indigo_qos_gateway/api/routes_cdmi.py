"""Data objects, containers, queues and references over CDMI (1.1.1, clauses 5.16, 6 to 11), in both dialects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from indigo_kernel.auth.dependency import Who
from indigo_kernel.auth.principal import Principal
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

from indigo_qos_gateway.api import negotiation
from indigo_qos_gateway.api.cdmi_json import lists_children
from indigo_qos_gateway.api.deps import About, Here, Service, Target
from indigo_qos_gateway.api.media import APPENDS, WRITES, answers, bodies
from indigo_qos_gateway.api.negotiation import CONTAINER, MULTIPART, OBJECT, QUEUE, CdmiRoute, negotiate
from indigo_qos_gateway.api.node_reads import node_response, redirect
from indigo_qos_gateway.api.node_writes import enqueue_values, put_queue, remove_values
from indigo_qos_gateway.api.object_reads import check_slash, view_response
from indigo_qos_gateway.api.object_writes import ALL, Put, put_bytes, put_json, put_parts
from indigo_qos_gateway.api.routes_capabilities import capability_response
from indigo_qos_gateway.api.routes_domains import domain_by_id
from indigo_qos_gateway.application.capabilities import capabilities
from indigo_qos_gateway.application.nodes import find_node, remove_node
from indigo_qos_gateway.application.removing import delete
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.node import Node, NodeKind
from indigo_qos_gateway.domain.paths import ORPHANS, check_name_is_free, join
from indigo_qos_gateway.domain.storage import ObjectType

TREE = "/{path:tree}"
"""Every path; the dependency ``About`` reads it."""

BY_ID = f"{ORPHANS}/"

_REDIRECT: dict[int | str, dict[str, Any]] = {302: {"description": "A reference; `Location` is where it leads"}}

router = APIRouter(
    route_class=CdmiRoute,
    tags=["CDMI"],
    responses=responses(BadRequest, NotFound, Unauthenticated, Forbidden, Unavailable),
)


@router.get(
    TREE,
    response_class=Response,
    response_model=None,
    responses=responses(NotAcceptable, Conflict)
    | answers(200, OBJECT, CONTAINER, QUEUE, octets=True, parts=True)
    | {206: {"description": "The bytes of `Range`", "content": {"*/*": {}}}}
    | {301: {"description": "A container is written with a slash at its end"}}
    | {416: {"description": "`Range` begins behind the end"}}
    | _REDIRECT,
)
async def read_object(request: Request, here: Here, who: Who, about: About) -> Response:
    """A data object, a container or a queue, whole or the fields named in the query: `?objectName;children:0-2`.

    Metadata are open to everyone, but for mounts that belong to somebody; the value needs the right to read it.
    Without the version header, an `Accept` that names no CDMI type, or a `Range`, gets the plain bytes. An object
    on tape only answers 503 for its value and is not recalled by that. `multipart/mixed` is JSON and the value as
    it is. A queue answers its oldest value, or as many as asked for: `?values:3`.
    """
    dialect = negotiate(request)
    by_id = about.path.startswith(BY_ID)
    if by_id:
        identifier = about.path.removeprefix(BY_ID)
        for capability in capabilities(here.gateway.chooser, here.gateway.enterprise):
            if capability.object_id == identifier.upper():
                return capability_response(here, capability, about.selection, dialect)
        domain = await domain_by_id(request, here, identifier, about.selection, dialect)
        if domain is not None:
            return domain
        about = replace(about, path=await here.gateway.path_of(identifier), slash=False)
    here.access.check_see(who, [about.path])
    try:
        listing = lists_children(about.selection) and (about.selection.span("children") or True)
        view = await here.gateway.view(about.path, listing=listing)
    except ObjectNotFound:
        node = await find_node(here.gateway, about.path)
        if node is None:
            raise
        return await node_response(request, here, who, node, about, dialect)
    moved = None if by_id else check_slash(request, about, dialect, view.status)
    return moved or await view_response(request, here, who, view, about.selection, dialect)


@router.put(
    TREE,
    response_class=Response,
    response_model=None,
    response_description="Changed",
    status_code=204,
    responses=responses(Conflict, TooLarge)
    | answers(201, OBJECT, CONTAINER, QUEUE)
    | answers(202, CONTAINER)
    | _REDIRECT,
    openapi_extra=bodies(WRITES, values=True),
)
async def write_object(request: Request, here: Here, who: Who, about: About) -> Response:
    """Create (201) or change (204) a data object, a container or a queue.

    With a CDMI type the body is JSON; `capabilitiesURI` in it asks for another storage class, which takes place
    after the answer. `multipart/mixed` is JSON and the value. With any other type the body is the value itself.
    With `X-CDMI-Partial: true` more of it will come.
    """
    dialect = negotiate(request)
    about = await _named(here, who, about)
    body_type = negotiation.content_type(request)
    before = await here.gateway.exists(about.path)
    if before is None or body_type == QUEUE:
        node = await find_node(here.gateway, about.path)
        if node is not None and node.kind is NodeKind.REFERENCE:
            return redirect(node, dialect)
        if body_type == QUEUE and before is None:
            return await put_queue(request, here, who, about, dialect)
        if node is not None or body_type == QUEUE:
            raise Conflict(f"{about.path} is {'a queue' if node else 'not a queue'}")
    return await _put(Put(here, who, request, about, dialect, before), body_type)


@router.patch(
    TREE,
    status_code=204,
    responses=responses(Conflict, TooLarge) | _REDIRECT,
    openapi_extra=bodies(WRITES),
)
async def update_object(request: Request, here: Here, who: Who, about: About) -> Response:
    """Change parts of what is there (CDMI 2.0): the metadata given are set, those given as null are removed.

    Everything else is as with PUT. Nothing is created.
    """
    dialect = negotiate(request)
    negotiation.check_patch(dialect)
    about = await _named(here, who, about)
    body_type = negotiation.content_type(request)
    before = await here.gateway.exists(about.path)
    if before is None:
        node = await _node(here, about.path)
        if node.kind is NodeKind.REFERENCE:
            return redirect(node, dialect)
        if body_type not in {QUEUE, "application/json"}:
            raise BadRequest(f"The body is {QUEUE}, not {body_type or 'untyped'}")
        return await put_queue(request, here, who, about, dialect, patch=True)
    if body_type not in {OBJECT, CONTAINER, "application/json"}:
        raise BadRequest(f"The body is {OBJECT} or {CONTAINER}, not {body_type or 'untyped'}")
    return await put_json(Put(here, who, request, about, dialect, before, patch=True), body_type)


@router.post(
    TREE,
    status_code=201,
    response_class=Response,
    response_model=None,
    responses=responses(Conflict, TooLarge)
    | answers(201, OBJECT, QUEUE)
    | {204: {"description": "The values are in the queue"}}
    | _REDIRECT,
    openapi_extra=bodies(APPENDS, values=True),
)
async def create_object(request: Request, here: Here, who: Who, about: About) -> Response:
    """A new data object, queue or reference named by its identifier (CDMI 1.1.1, clauses 6.3, 9.6 and 9.7).

    It is in the container, or in none when it is posted to `/cdmi_objectid/`. What is posted to a queue is
    appended to its values.
    """
    dialect = negotiate(request)
    about = await _named(here, who, about)
    body_type = negotiation.content_type(request)
    if about.path != ORPHANS:
        status = await here.gateway.exists(about.path)
        if status is None:
            node = await _node(here, about.path)
            if node.kind is NodeKind.REFERENCE:
                return redirect(node, dialect)
            return await enqueue_values(request, here, who, about.path, dialect)
        if status.object_type is not ObjectType.CONTAINER:
            raise ObjectNotFound(f"{about.path}/")
    identifier = here.gateway.new_id()
    target = Target(join(about.path, identifier), slash=False, selection=ALL)
    if body_type == QUEUE:
        answer = await put_queue(request, here, who, target, dialect, identifier=identifier)
    elif body_type == CONTAINER:
        raise BadRequest(f"Only {OBJECT} and {QUEUE} can be made here, not {body_type}")
    else:
        answer = await _put(Put(here, who, request, target, dialect, None, identifier=identifier), body_type)
    answer.headers["location"] = f"{request.app.state.public_url}{quote(target.path)}"
    return answer


@router.delete(TREE, status_code=204, responses=responses(Conflict))
async def delete_object(request: Request, here: Here, who: Who, about: About) -> Response:
    """Remove a data object, a container with everything in it, a reference (not what it leads to), or a queue.

    With `?value`, `?values:3` or `?values:1-3` the oldest values of a queue are removed.
    """
    dialect = negotiate(request)
    path = (await _named(here, who, about)).path
    if not path.startswith(BY_ID):
        check_name_is_free(path, here.own_names)
    status = await here.gateway.exists(path)
    node = None if status is not None else await find_node(here.gateway, path)
    if node is not None and node.kind is NodeKind.QUEUE and about.selection.fields:
        return await remove_values(here, who, path, about.selection, dialect)
    container = status is not None and status.object_type is ObjectType.CONTAINER
    here.access.check_write(who, path, container=container)
    if node is not None:
        async with here.gateway.work() as work:
            await remove_node(work, node, who.actor)
    elif status is None:
        raise ObjectNotFound(path)
    else:
        await delete(here.gateway, path, who.actor)
    return Response(status_code=204, headers=dialect.headers)


async def _put(put: Put, body_type: str) -> Response:
    if body_type in {OBJECT, CONTAINER} or (body_type == "application/json" and not put.dialect.strict):
        return await put_json(put, body_type)
    if body_type == MULTIPART and put.dialect.strict:
        return await put_parts(put)
    if put.dialect.strict:
        raise BadRequest(
            f"With a CDMI version the body is {OBJECT}, {CONTAINER}, {QUEUE} or {MULTIPART},"
            f" not {body_type or 'untyped'}"
        )
    return await put_bytes(put)


async def _named(here: Service, who: Principal, about: Target) -> Target:
    """The same by path when it was named by its identifier. Raises unless what is there may be seen."""
    if about.path.startswith(BY_ID):
        about = replace(about, path=await here.gateway.path_of(about.path.removeprefix(BY_ID)))
    here.access.check_see(who, [about.path])
    return about


async def _node(here: Service, path: str) -> Node:
    node = await find_node(here.gateway, path)
    if node is None:
        raise ObjectNotFound(path)
    return node
