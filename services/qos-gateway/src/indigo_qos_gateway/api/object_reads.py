"""Answers about data objects and containers (CDMI 1.1.1, clauses 8.3 and 9.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from fastapi import Request, Response
from indigo_kernel.auth.principal import Principal

from indigo_qos_gateway.api import negotiation, values
from indigo_qos_gateway.api.cdmi_json import container_json, object_json, respond
from indigo_qos_gateway.api.deps import Service, Target
from indigo_qos_gateway.api.multipart import parts_response
from indigo_qos_gateway.api.negotiation import CONTAINER, OBJECT, Dialect
from indigo_qos_gateway.application.viewing import View
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.selection import Selection, Span
from indigo_qos_gateway.domain.storage import ObjectType, Status


async def view_response(
    request: Request, here: Service, who: Principal, view: View, selection: Selection, dialect: Dialect
) -> Response:
    """A container or a data object in the form that is asked for: JSON, the plain bytes, or both in parts."""
    if view.status.object_type is ObjectType.CONTAINER:
        negotiation.check_acceptable(request, dialect, CONTAINER)
        return respond(container_json(view, selection, dialect, here.polling_ms), dialect, CONTAINER)
    if negotiation.wants_bytes(request, dialect):
        here.access.check_read(who, view.status.path)
        values.check_complete(view)
        return await values.bytes_response(here.gateway, view, request, dialect)
    if negotiation.wants_parts(request, dialect, OBJECT):
        return await _parts(here, who, view, selection, dialect)
    negotiation.check_acceptable(request, dialect, OBJECT)
    return await _object(here, who, view, selection, dialect)


def check_slash(request: Request, about: Target, dialect: Dialect, status: Status) -> Response | None:
    """In the strict dialect a container is written with a slash (301 without), a data object never."""
    if not dialect.strict:
        return None
    if status.object_type is ObjectType.DATAOBJECT and about.slash:
        raise ObjectNotFound(f"{about.path}/")
    if status.object_type is ObjectType.CONTAINER and not about.slash:
        query: bytes = request.scope["query_string"]
        # The path of the URL is escaped in parts already: a second time would change it.
        target = quote(request.scope["path"]) + "/" + (f"?{query.decode()}" if query else "")
        return Response(status_code=301, headers={"location": target, **dialect.headers})
    return None


async def _object(here: Service, who: Principal, view: View, selection: Selection, dialect: Dialect) -> Response:
    """The JSON of a data object; with its value when that was asked for by name, or can be had at once."""
    value = None
    if selection.names("value"):
        here.access.check_read(who, view.status.path)
        values.check_complete(view)
        value = await values.value_of(here.gateway, view, selection.span("value"))
    elif selection.wants("value") and dialect.strict and _at_hand(here, who, view):
        value = await values.value_of(here.gateway, view, None)
    return respond(object_json(view, selection, dialect, here.polling_ms, value), dialect, OBJECT)


async def _parts(here: Service, who: Principal, view: View, selection: Selection, dialect: Dialect) -> Response:
    """The JSON without a value, then the value or its ranges as they are, of any size."""
    size = view.status.size
    spans: list[Span | None] = []
    if selection.wants("value"):
        here.access.check_read(who, view.status.path)
        values.check_complete(view)
        spans += [values.within(span, size) for span in selection.spans("value")] or [None]
    reads = [(span, here.gateway.read(view.status, span)) for span in spans]
    document = object_json(view, selection, dialect, here.polling_ms, None).model_dump_json(exclude_unset=True)

    async def parts() -> AsyncIterator[tuple[dict[str, str], AsyncIterator[bytes]]]:
        for span, chunks in reads:
            headers = {"Content-Type": view.stored.mimetype}
            yield headers | ({"Content-Range": f"bytes {span}/{size}"} if span else {}), chunks

    return parts_response(dialect, document.encode(), OBJECT, parts())


def _at_hand(here: Service, who: Principal, view: View) -> bool:
    status = view.status
    small = status.readable and status.size <= values.MOST_JSON_BYTES
    return small and not view.stored.partial and here.access.may_read(who, status.path)
