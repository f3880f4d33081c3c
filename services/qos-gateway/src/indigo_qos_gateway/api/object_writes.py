"""Writing data objects and containers (CDMI 1.1.1, clauses 6.2, 6.4, 8.2, 8.4, 9.2 and 9.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from urllib.parse import quote

from fastapi import Request, Response
from indigo_contracts.problems import FieldError
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.problems import BadRequest, Conflict

from indigo_qos_gateway.api import negotiation, values
from indigo_qos_gateway.api.cdmi_json import container_json, object_json, respond
from indigo_qos_gateway.api.deps import Service, Target, path_at
from indigo_qos_gateway.api.multipart import Part, Parts
from indigo_qos_gateway.api.negotiation import CONTAINER, OBJECT, Dialect
from indigo_qos_gateway.api.node_writes import put_reference
from indigo_qos_gateway.api.schemas import CdmiWrite
from indigo_qos_gateway.application.copying import transfer
from indigo_qos_gateway.application.deserializing import Maker, deserialize
from indigo_qos_gateway.application.domains import check_owner
from indigo_qos_gateway.application.objects import Change
from indigo_qos_gateway.application.serializing import read_serialized, serialize
from indigo_qos_gateway.application.viewing import OCTETS, View
from indigo_qos_gateway.domain.errors import CapabilitiesNotFound, ObjectNotFound, UnknownClass
from indigo_qos_gateway.domain.paths import ORPHANS, check_name_is_free, parent
from indigo_qos_gateway.domain.ranges import parse_content_range
from indigo_qos_gateway.domain.selection import Selection, Span
from indigo_qos_gateway.domain.storage import ObjectType, Status
from indigo_qos_gateway.domain.transfer import TransferKind

ALL = Selection(None)


@dataclass(frozen=True, slots=True)
class Put:
    """One request to write: who sends it, what it is about, and what is there now."""

    here: Service
    who: Principal
    request: Request
    about: Target
    dialect: Dialect
    before: Status | None
    patch: bool = False
    identifier: str | None = None

    @property
    def partial(self) -> bool:
        """Whether the client says that more bytes will come. Raises ``BadRequest``."""
        value = self.request.headers.get("x-cdmi-partial", "false").strip().lower()
        if value not in {"true", "false"}:
            raise BadRequest("X-CDMI-Partial is true or false")
        return value == "true"


@dataclass(frozen=True, slots=True)
class _Piece:
    """The value of a request and where it goes; ``chunks`` are absent when there is none."""

    chunks: AsyncIterator[bytes] | None
    encoding: str | None
    mimetype: str | None
    span: Span | None


async def put_json(put: Put, body_type: str) -> Response:
    """Write what a JSON body says."""
    container = _is_container(put, body_type)
    _authorize(put, container=container)
    written = values.parsed(await values.body_text(put.request), CdmiWrite)
    span = put.about.selection.span("value")
    encoding = "base64" if span else written.valuetransferencoding
    data = None if written.value is None else values.decoded(written.value, encoding)
    fresh = put.before is None
    piece = _Piece(
        chunks=None if data is None else values.once(data),
        encoding=None if span else written.valuetransferencoding or ("utf-8" if data is not None else None),
        mimetype=written.mimetype or ("text/plain" if fresh else None),
        span=span,
    )
    return await _put_written(put, written, piece, container=container)


async def put_parts(put: Put) -> Response:
    """Write what a body of two parts says: JSON, and the value as it is (clause 8.2.6)."""
    parts = Parts(put.request)
    first = await parts.next()
    body_type = negotiation.bare(first.media_type) if first else ""
    if first is None or body_type != OBJECT:
        raise BadRequest(f"The first part is {OBJECT}, the second one its value")
    container = _is_container(put, body_type)
    _authorize(put, container=container)
    written = values.parsed(await first.read(values.MOST_JSON_BYTES), CdmiWrite)
    if written.value is not None:
        raise BadRequest("The value is in the second part, not in the first one too")
    second = await parts.next()
    piece = _Piece(None, None, written.mimetype, None)
    if second is not None:
        place = second.headers.get("content-range")
        span = parse_content_range(place) if place else put.about.selection.span("value")
        mimetype = None if span else written.mimetype or values.checked_type(second.headers.get("content-type"))
        encoding = None if span else written.valuetransferencoding or "base64"
        piece = _Piece(_only(parts, second), encoding, mimetype, span)
    return await _put_written(put, written, piece, container=container)


async def put_bytes(put: Put) -> Response:
    """Store the body as the value, or make a container."""
    gateway, path, actor = put.here.gateway, put.about.path, put.who.actor
    _authorize(put, container=put.about.slash)
    if put.about.slash:
        async for _ in values.body_of(put.request):
            raise BadRequest("A container has no value; leave the slash at the end out to store an object")
        return _changed(put, await gateway.put_container(path, Change(), put.before, actor))
    place = put.request.headers.get("content-range")
    mimetype = put.request.headers.get("content-type") or OCTETS
    change = Change(
        chunks=values.body_of(put.request),
        identifier=put.identifier,
        groups=put.who.groups,
        mimetype=None if place else mimetype,
        encoding=None if place else values.encoding_of(mimetype),
        span=parse_content_range(place) if place else None,
        partial=put.partial,
    )
    return _changed(put, await gateway.put_object(path, change, put.before, actor))


async def _put_written(put: Put, written: CdmiWrite, piece: _Piece, *, container: bool) -> Response:
    kind = ObjectType.CONTAINER if container else ObjectType.DATAOBJECT
    sources = written.sources()
    if len(sources) + (piece.chunks is not None and written.value is None) > 1:
        raise BadRequest(f"One of {', '.join(sources)} and a value makes an object")
    if written.reference is not None:
        return await put_reference(
            put.here, put.who, put.about.path, put.dialect, put.before, written, put.identifier
        )
    change = Change(
        metadata=written.metadata,
        metadata_names=_metadata_names(put, written),
        identifier=put.identifier,
        storage_class=_class_asked(put.here, written, kind),
        groups=put.who.groups,
        operator=put.who.has(Scope.OPERATOR),
        domain=await check_owner(put.here.gateway, put.who, written.domainURI),
        partial=put.partial,
    )
    gateway, path, actor = put.here.gateway, put.about.path, put.who.actor
    if sources and sources != ["value"]:
        return await _put_made(put, written, change, kind)
    if container:
        if piece.chunks is not None:
            raise BadRequest("A container has no value")
        view = await gateway.put_container(path, change, put.before, actor)
    else:
        change = replace(
            change,
            chunks=piece.chunks,
            mimetype=piece.mimetype,
            encoding=piece.encoding or ("utf-8" if put.before is None else None),
            span=piece.span,
        )
        view = await gateway.put_object(path, change, put.before, actor)
    return _changed(put, view)


async def _put_made(put: Put, written: CdmiWrite, change: Change, kind: ObjectType) -> Response:
    """A new object or container out of what there is (clauses 8.2.6 and 9.2.6)."""
    gateway, path, who, here = put.here.gateway, put.about.path, put.who, put.here
    if put.before is not None:
        raise Conflict(f"{path} is there already")
    shown = here.access.places(who)
    maker = Maker(who.actor, shown, here.queue_limits)
    if written.deserializevalue is not None:
        tree = values.serialized(values.decoded(written.deserializevalue, "base64", "/deserializevalue"))
        return _made(put, await deserialize(gateway, tree, path, kind, change, maker))
    (name,) = written.sources()
    source = await gateway.resolved(_source(written, name))
    here.access.check_read(who, source)
    if name == "serialize":
        if kind is not ObjectType.DATAOBJECT:
            raise BadRequest("What is serialized becomes a data object")
        data = await serialize(gateway, source, lambda path: here.access.check_read(who, path))
        change = replace(change, chunks=values.once(data), mimetype="application/json", encoding="utf-8")
        return _made(put, await gateway.put_object(path, change, None, who.actor))
    if name == "deserialize":
        tree = values.serialized(await read_serialized(gateway, source))
        return _made(put, await deserialize(gateway, tree, path, kind, change, maker))
    if name == "move":
        if parent(source) != ORPHANS:
            check_name_is_free(source, here.own_names)
        here.access.check_write(who, source, container=kind is ObjectType.CONTAINER)
    status = await gateway.exists(source)
    if status is None:
        raise ObjectNotFound(source)
    if status.object_type is not kind:
        raise Conflict(f"{source} is a {status.object_type}, not a {kind}")
    change = replace(change, mimetype=written.mimetype)
    return _made(put, await transfer(gateway, TransferKind(name), status, path, change, who.actor, shown))


def _source(written: CdmiWrite, name: str) -> str:
    text = getattr(written, f"{name}_from" if name in {"copy", "move"} else name)
    return path_at(text, f"/{name}")


def _changed(put: Put, view: View) -> Response:
    if put.before is None:
        return _made(put, view)
    return Response(status_code=204, headers=put.dialect.headers)


def _made(put: Put, view: View) -> Response:
    polling_ms = put.here.polling_ms
    if view.status.object_type is ObjectType.CONTAINER:
        under_way = view.transfer is not None
        document = container_json(view, ALL, put.dialect, polling_ms)
        answer = respond(document, put.dialect, CONTAINER, 202 if under_way else 201)
        if under_way:  # the container itself tells how far it is
            answer.headers["location"] = f"{put.request.app.state.public_url}{quote(put.about.path)}/"
            answer.headers["retry-after"] = str(max(1, polling_ms // 1000))
        return answer
    return respond(object_json(view, ALL, put.dialect, polling_ms, None), put.dialect, OBJECT, 201)


async def _only(parts: Parts, part: Part) -> AsyncIterator[bytes]:
    """The bytes of the last part. Raises ``BadRequest`` when another one follows: nothing is stored then."""
    async for chunk in part.chunks:
        yield chunk
    if await parts.next() is not None:
        raise BadRequest("There is one value; more ranges of it take more requests")


def _metadata_names(put: Put, written: CdmiWrite) -> tuple[str, ...] | None:
    if put.patch:
        return tuple(written.metadata or {})
    return put.about.selection.metadata() if put.about.selection.fields else None


def _is_container(put: Put, body_type: str) -> bool:
    """What is there decides in the INDIGO dialect: gfal2 sends the type of objects for containers too."""
    container = body_type == CONTAINER
    if not put.dialect.strict:
        container = container or put.about.slash
        if put.before is not None:
            container = put.before.object_type is ObjectType.CONTAINER
    elif container != put.about.slash:
        raise BadRequest("A container is written with a slash at its end, a data object without")
    return container


def _authorize(put: Put, *, container: bool) -> None:
    """Raise unless the sender may do this; names nobody may have are told before the token is looked at."""
    if put.before is not None:
        put.here.access.check_write(put.who, put.about.path, container=container)
        return
    if parent(put.about.path) != ORPHANS or put.identifier is None:
        check_name_is_free(put.about.path, put.here.own_names)
    put.here.access.check_write(put.who, put.about.path, container=container, new=True)


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
