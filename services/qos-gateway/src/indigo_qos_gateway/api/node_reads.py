"""Answers about references and queues (CDMI 1.1.1, clauses 5.16 and 11.3)."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import Request, Response
from indigo_kernel.auth.principal import Principal
from indigo_kernel.problems import BadRequest

from indigo_qos_gateway.api import negotiation, values
from indigo_qos_gateway.api.cdmi_json import respond
from indigo_qos_gateway.api.deps import Service, Target
from indigo_qos_gateway.api.multipart import parts_response
from indigo_qos_gateway.api.negotiation import QUEUE, Dialect
from indigo_qos_gateway.api.schemas import CdmiQueue
from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.application.queues import queue_extent
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.metadata import selected
from indigo_qos_gateway.domain.node import OLDEST, Node, NodeKind, Value, Which, which_values
from indigo_qos_gateway.domain.notification import shown_status
from indigo_qos_gateway.domain.paths import ORPHANS, ROOT, name, parent
from indigo_qos_gateway.domain.selection import Selection, Span
from indigo_qos_gateway.domain.storage import CAPABILITIES
from indigo_qos_gateway.domain.values import encoded

_AT_ONCE = Which(count=100)
"""The values of a queue that was asked for in parts without a word about values."""

_OF_VALUES = ("mimetype", "valuerange", "valuetransferencoding", "value", "values")


def redirect(node: Node, dialect: Dialect) -> Response:
    """Where a reference leads (302)."""
    assert node.target is not None
    return Response(status_code=302, headers={"location": node.target, **dialect.headers})


async def node_response(
    request: Request, here: Service, who: Principal, node: Node, about: Target, dialect: Dialect
) -> Response:
    """A queue with its oldest value, or the values asked for; a reference sends to where it leads.

    Who may not read the queue's values sees everything else.
    """
    if about.slash and dialect.strict:
        raise ObjectNotFound(f"{about.path}/")
    if node.kind is NodeKind.REFERENCE:
        return redirect(node, dialect)
    selection = about.selection
    named = selection.names("value") or selection.names("values")
    if named:
        here.access.check_read(who, node.path)
    readable = here.access.may_read(who, node.path)
    in_parts = negotiation.wants_parts(request, dialect, QUEUE)
    if not in_parts:
        negotiation.check_acceptable(request, dialect, QUEUE)
    async with here.gateway.work() as work:
        which = _which(selection, OLDEST if selection.fields or not in_parts else _AT_ONCE) if readable else None
        found = await _found(work, node, which)
        answer = await _queue(work, here, node, selection, dialect, found, inline=not in_parts)
    if not in_parts:
        return respond(answer, dialect, QUEUE)

    async def parts() -> AsyncIterator[tuple[dict[str, str], AsyncIterator[bytes]]]:
        span = selection.span("value")
        for value in found:
            headers, data = {"Content-Type": value.mimetype}, value.data
            if span is not None:
                part = values.within(span, len(data))
                headers["Content-Range"] = f"bytes {part}/{len(data)}"
                data = data[part.first : part.last + 1]
            yield headers, values.once(data)

    return parts_response(dialect, answer.model_dump_json(exclude_unset=True).encode(), QUEUE, parts())


async def queue_json(work: Work, here: Service, node: Node, selection: Selection, dialect: Dialect) -> CdmiQueue:
    """A queue without its values."""
    return await _queue(work, here, node, selection, dialect, (), inline=True)


async def identity(work: Work, here: Service, node: Node, dialect: Dialect) -> dict[str, str]:
    """What it is called and where it is; without a container it has an identifier only."""
    known = {"objectID": node.object_id, "domainURI": dialect.slash(node.domain)}
    if parent(node.path) != ORPHANS:
        above = parent(node.path)
        known["objectName"] = name(node.path)
        known["parentURI"] = above if above == ROOT else dialect.slash(above)
        known["parentID"] = await here.gateway.id_of(work, above)
    return known


async def _found(work: Work, node: Node, which: Which | None) -> Sequence[Value]:
    if which is None:
        return ()
    return await work.queues.peek(node.object_id, which, most_bytes=values.MOST_JSON_BYTES)


def _which(selection: Selection, default: Which) -> Which | None:
    """The values an answer is about; with a range ``value:0-10`` it is the oldest one."""
    if not any(selection.wants(field) for field in _OF_VALUES):
        return None
    if selection.names("value"):
        if selection.names("values"):
            raise BadRequest("One field says which values: value or values:3")
        selection.span("value")
        return OLDEST
    asked = [each for each in selection.fields or () if each[0] == "values"]
    return which_values(asked) if asked else default


async def _queue(
    work: Work,
    here: Service,
    node: Node,
    selection: Selection,
    dialect: Dialect,
    found: Sequence[Value],
    *,
    inline: bool,
) -> CdmiQueue:
    fields: dict[str, Any] = {"objectType": QUEUE, **await identity(work, here, node, dialect)}
    extent = await queue_extent(work, node)
    metadata = {**node.metadata, **shown_status(node.metadata, node.status, node.lost)}
    fields |= {
        "capabilitiesURI": dialect.slash(f"{CAPABILITIES}/queue"),
        "completionStatus": "Complete",
        "metadata": selected(metadata, selection.metadata()),
        "queueValues": str(extent) if extent else "",
    }
    if found:
        fields |= _values(found, selection.span("value"), inline=inline)
    asked = {key: each for key, each in fields.items() if selection.wants(key)}
    if "value" in fields and selection.names("values"):
        asked["value"] = fields["value"]
    return CdmiQueue(**asked)


def _values(found: Sequence[Value], span: Span | None, *, inline: bool) -> dict[str, Any]:
    if span is not None:
        part = values.within(span, len(found[0].data))
        cut = found[0].data[part.first : part.last + 1]
        ranges, shown = [str(part)], [("base64", base64.b64encode(cut).decode())]
    else:
        ranges = [str(Span(0, len(each.data) - 1)) if each.data else "" for each in found]
        shown = [encoded(each.data, each.encoding) for each in found]
    fields: dict[str, Any] = {
        "mimetype": [each.mimetype for each in found],
        "valuerange": ranges,
        "valuetransferencoding": [encoding if inline else "base64" for encoding, _ in shown],
    }
    return fields | {"value": [text for _, text in shown]} if inline else fields
