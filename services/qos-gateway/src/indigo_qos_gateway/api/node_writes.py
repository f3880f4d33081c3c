"""Writing references and queues; values into queues and out of them (CDMI 1.1.1, clauses 5.16 and 11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fastapi import Request, Response
from indigo_contracts.problems import FieldError
from indigo_kernel.auth.principal import Principal
from indigo_kernel.problems import BadRequest, Conflict

from indigo_qos_gateway.api import negotiation, values
from indigo_qos_gateway.api.cdmi_json import respond
from indigo_qos_gateway.api.deps import Service, Target, path_at
from indigo_qos_gateway.api.multipart import Parts
from indigo_qos_gateway.api.negotiation import MULTIPART, OBJECT, QUEUE, Dialect
from indigo_qos_gateway.api.node_reads import identity, queue_json
from indigo_qos_gateway.api.schemas import CdmiEnqueue, CdmiObject, CdmiQueueWrite, CdmiWrite
from indigo_qos_gateway.application.deserializing import Maker, add_serialized, check_kind
from indigo_qos_gateway.application.domains import check_owner
from indigo_qos_gateway.application.nodes import add_node, change_queue, check_place, get_queue
from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.application.queues import dequeue, enqueue, transfer
from indigo_qos_gateway.application.serializing import read_serialized
from indigo_qos_gateway.application.viewing import domain_above
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.node import (
    MOST_VALUE_BYTES,
    Node,
    NodeKind,
    Value,
    Which,
    check_address,
    which_values,
)
from indigo_qos_gateway.domain.paths import ORPHANS, check_name_is_free, parent, parse_text
from indigo_qos_gateway.domain.selection import Selection, parse_selection
from indigo_qos_gateway.domain.serialized import Serialized
from indigo_qos_gateway.domain.storage import Status

_MOST_VALUES = 1000
"""In one request to append values."""


async def put_reference(
    here: Service,
    who: Principal,
    path: str,
    dialect: Dialect,
    before: Status | None,
    written: CdmiWrite | CdmiQueueWrite,
    identifier: str | None,
) -> Response:
    """Make a reference (201). One that is there is removed, not changed."""
    assert written.reference is not None
    if before is not None:
        raise Conflict(f"{path} is there already")
    target = check_address(written.reference)
    node = await _new_node(here, who, path, NodeKind.REFERENCE, identifier, written.domainURI, {})
    async with here.gateway.work() as work:
        made = await add_node(work, replace(node, target=target), who.actor)
        fields = await identity(work, here, made, dialect)
    answer = CdmiObject(**{"objectType": OBJECT, **fields, "reference": target})
    return respond(answer, dialect, OBJECT, 201)


async def put_queue(
    request: Request,
    here: Service,
    who: Principal,
    about: Target,
    dialect: Dialect,
    *,
    identifier: str | None = None,
    patch: bool = False,
) -> Response:
    """Make a queue or a reference (201), give a queue other metadata, or append values of another one (204)."""
    if about.slash:
        raise BadRequest("A queue is written without a slash at its end")
    gateway, path = here.gateway, about.path
    written = values.parsed(await values.body_text(request), CdmiQueueWrite)
    sources = written.sources()
    if len(sources) > 1:
        raise BadRequest(f"One of {', '.join(sources)} makes a queue")
    async with gateway.work() as work:
        before = await work.nodes.find(path)
    if before is None and patch:
        raise ObjectNotFound(path)
    if before is None:
        return await _make_queue(here, who, path, dialect, written, identifier)
    here.access.check_write(who, path)
    if not {"copy", "move"}.issuperset(sources):
        raise Conflict(f"{path} is there already")
    source = await _source(here, who, written, None)
    async with gateway.work() as work:
        queue = await get_queue(work, path)
        # Before the queue is held for its change: two queues are held in their order.
        await _append(work, here, queue, source)
        if written.metadata is not None:
            queue = await get_queue(work, path, for_update=True)
            names = (
                tuple(written.metadata)
                if patch
                else about.selection.metadata()
                if about.selection.fields
                else None
            )
            shown = here.access.places(who)
            await change_queue(work, queue, written.metadata, names, who.actor, shown)
    return Response(status_code=204, headers=dialect.headers)


async def _make_queue(
    here: Service, who: Principal, path: str, dialect: Dialect, written: CdmiQueueWrite, identifier: str | None
) -> Response:
    if written.reference is not None:
        return await put_reference(here, who, path, dialect, None, written, identifier)
    source = await _source(here, who, written, Which())
    tree = await _serialized(here, who, written)
    metadata = {**(tree.metadata if tree else {}), **(written.metadata or {})}
    node = await _new_node(here, who, path, NodeKind.QUEUE, identifier, written.domainURI, metadata)
    async with here.gateway.work() as work:
        if tree is not None:
            made = await add_serialized(work, node, tree, Maker(who.actor, node.shown, here.queue_limits))
        else:
            made = await add_node(work, node, who.actor)
            await _append(work, here, made, source)
        answer = await queue_json(work, here, made, Selection(None), dialect)
    return respond(answer, dialect, QUEUE, 201)


async def _serialized(here: Service, who: Principal, written: CdmiQueueWrite) -> Serialized | None:
    """The queue a new one is to be made of. Raises ``Conflict`` for something else that was serialized."""
    if written.deserializevalue is not None:
        text = values.decoded(written.deserializevalue, "base64", "/deserializevalue")
    elif written.deserialize is not None:
        source = await here.gateway.resolved(path_at(written.deserialize, "/deserialize"))
        here.access.check_read(who, source)
        text = await read_serialized(here.gateway, source)
    else:
        return None
    tree = values.serialized(text)
    check_kind(tree, NodeKind.QUEUE)
    return tree


async def enqueue_values(request: Request, here: Service, who: Principal, path: str, dialect: Dialect) -> Response:
    """Append values to a queue (clause 11.6): of the body, of an object, or of another queue."""
    here.access.check_write(who, path)
    body_type = negotiation.content_type(request)
    if body_type == MULTIPART:
        appended: Sequence[Value] = await _values_of_parts(request)
        source = None
    elif body_type in {OBJECT, QUEUE} or (body_type == "application/json" and not dialect.strict):
        written = values.parsed(await values.body_text(request), CdmiEnqueue)
        appended, source = await _written_values(here, who, written)
    else:
        raise BadRequest(f"Values come as {OBJECT}, {QUEUE} or {MULTIPART}, not {body_type or 'untyped'}")
    async with here.gateway.work() as work:
        queue = await get_queue(work, path)
        if source is None:
            await enqueue(work, queue, appended, here.queue_limits)
        else:
            await _append(work, here, queue, source)
    return Response(status_code=204, headers=dialect.headers)


async def remove_values(
    here: Service, who: Principal, path: str, selection: Selection, dialect: Dialect
) -> Response:
    """Remove values of a queue (clause 11.7)."""
    here.access.check_write(who, path)
    unknown = [name for name, _ in selection.fields or () if name not in {"value", "values"}]
    if unknown:
        raise BadRequest("Only values are removed from a queue: ?value, ?values:3 or ?values:1-3")
    async with here.gateway.work() as work:
        await dequeue(work, await get_queue(work, path), which_values(list(selection.fields or ())))
    return Response(status_code=204, headers=dialect.headers)


_Source = tuple[str, Which, bool]
"""Path of a queue, which of its values, and whether they stay there."""


async def _new_node(
    here: Service,
    who: Principal,
    path: str,
    kind: NodeKind,
    identifier: str | None,
    domain_uri: str | None,
    metadata: dict[str, object],
) -> Node:
    gateway = here.gateway
    if parent(path) != ORPHANS or identifier is None:
        check_name_is_free(path, here.own_names)
    here.access.check_write(who, path, new=True)
    owner = await check_owner(gateway, who, domain_uri)
    await check_place(gateway, path)
    async with gateway.work() as work:
        return Node(
            object_id=identifier or gateway.new_id(),
            path=path,
            kind=kind,
            domain=owner or await domain_above(work, path),
            created_at=work.now,
            metadata=metadata,
            shown=here.access.places(who),
        )


async def _source(
    here: Service, who: Principal, written: CdmiQueueWrite | CdmiEnqueue, everything: Which | None
) -> _Source | None:
    """The queue named in ``copy`` or ``move``; without a range ``everything``, or its oldest value."""
    text, keep = written.copy_from or written.move_from, written.copy_from is not None
    if text is None:
        return None
    if written.copy_from is not None and written.move_from is not None:
        raise BadRequest("Values are copied or moved, not both")
    try:
        named, _, query = text.partition("?")
        path = parse_text(named)  # a name in JSON is not escaped, as in every other field
        selection = parse_selection(query.encode())
        which = which_values(list(selection.fields)) if selection.fields else everything or Which(count=1)
    except BadRequest as error:
        pointer = "/copy" if keep else "/move"
        error.errors.append(FieldError(pointer=pointer, detail=error.detail, code="source"))
        raise
    path = await here.gateway.resolved(path)
    here.access.check_read(who, path)
    if not keep:
        here.access.check_write(who, path)
    return path, which, keep


async def _append(work: Work, here: Service, queue: Node, source: _Source | None) -> None:
    if source is not None:
        path, which, keep = source
        await transfer(work, await get_queue(work, path), queue, which, here.queue_limits, keep=keep)


async def _written_values(
    here: Service, who: Principal, written: CdmiEnqueue
) -> tuple[Sequence[Value], _Source | None]:
    source = await _source(here, who, written, None)
    if source is None:
        return _listed(written), None
    if written.value is not None:
        raise BadRequest("Values come from the body or from elsewhere, not both")
    path, _, keep = source
    if await here.gateway.exists(path) is None:
        return (), source
    if not keep:
        raise BadRequest("An object is copied into a queue, not moved")
    view = await here.gateway.view(path)
    values.check_complete(view)
    if view.status.size > MOST_VALUE_BYTES:
        raise BadRequest(f"A value of a queue has at most {MOST_VALUE_BYTES} bytes")
    data, _ = await values.value_of(here.gateway, view, None)
    return [Value(view.stored.mimetype, view.stored.encoding, data)], None


def _listed(written: CdmiEnqueue) -> Sequence[Value]:
    if written.value is None:
        raise BadRequest("There is no value")
    texts = [written.value] if isinstance(written.value, str) else written.value
    types = _spread(written.mimetype, "text/plain", len(texts), "mimetype")
    encodings = _spread(written.valuetransferencoding, "utf-8", len(texts), "valuetransferencoding")
    if not 0 < len(texts) <= _MOST_VALUES:
        raise BadRequest(f"One request appends 1 to {_MOST_VALUES} values")
    return [
        Value(mimetype, encoding, values.decoded(text, encoding, f"/value/{place}"))
        for place, (mimetype, encoding, text) in enumerate(zip(types, encodings, texts, strict=True))
    ]


def _spread(given: str | Sequence[str] | None, default: str, count: int, name: str) -> Sequence[str]:
    if given is None or isinstance(given, str):
        return [given or default] * count
    if len(given) != count:
        raise BadRequest(f"There are {count} values and {len(given)} of {name}")
    return given


async def _values_of_parts(request: Request) -> Sequence[Value]:
    parts = Parts(request)
    first = await parts.next()
    if first is None or negotiation.bare(first.media_type) not in {QUEUE, OBJECT}:
        raise BadRequest(f"The first part is {QUEUE}, the others are values")
    values.parsed(await first.read(values.MOST_JSON_BYTES), CdmiQueueWrite)
    found: list[Value] = []
    size = 0
    while (part := await parts.next()) is not None:
        data = await part.read(MOST_VALUE_BYTES)
        size += len(data)
        if len(found) == _MOST_VALUES or size > values.MOST_JSON_BYTES:
            raise BadRequest(
                f"One request appends at most {_MOST_VALUES} values of {values.MOST_JSON_BYTES} bytes"
            )
        found.append(Value(values.checked_type(part.headers.get("content-type")), "base64", data))
    if not found:
        raise BadRequest("There is no value")
    return found
