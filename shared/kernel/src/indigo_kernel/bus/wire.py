"""CloudEvents on a message bus: body, headers and attributes, whichever bus carries them.

Sources: CloudEvents 1.0.2 AMQP binding (structured and binary mode, header prefixes ``cloudEvents_``
and ``cloudEvents:``) and the RabbitMQ binding's prefix ``ce-``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from indigo_contracts.envelope import CONTENT_TYPE, Envelope
from pydantic import ValidationError
from pydantic_core import from_json

from indigo_kernel.bus.ports import Message, PermanentError

HEADER_PREFIX = "cloudEvents_"
ACCEPTED_PREFIXES = ("cloudEvents_", "cloudEvents:", "ce-", "ce_")

CLAIM_CHECK_BYTES = 64 * 1024
"""Larger bodies travel without ``data``, with ``dataref`` instead (CloudEvents dataref extension)."""


def message_of(envelope: Envelope) -> Message:
    """The message that publishes ``envelope`` whole."""
    return Message(id=envelope.id, routing_key=envelope.fact, subject=envelope.subject, body=envelope.wire())


def data_url(source: str, event_id: str) -> str:
    """Where the feed of the service at ``source`` serves the data of an event: the value of ``dataref``."""
    return f"{source.rstrip('/')}/events/{event_id}/data"


def claim_check(body: bytes) -> bytes:
    """``body`` without its data but with a ``dataref``. Raises ``ValidationError`` when it is no event."""
    envelope = Envelope.model_validate_json(body)
    reference = envelope.dataref or data_url(envelope.source, envelope.id)
    return envelope.model_copy(update={"data": None, "dataref": reference}).wire()


def attributes(body: bytes) -> dict[str, str]:
    """The event's attributes as text, without its data; empty when the body is not a JSON object."""
    try:
        event = from_json(body)
    except ValueError:
        return {}
    if not isinstance(event, dict):
        return {}
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in event.items()
        if value is not None and name not in {"data", "data_base64"}
    }


def structured(body: bytes, headers: Mapping[str, str], content_type: str | None) -> bytes:
    """The body in structured mode, built from headers and data when the sender used binary mode.

    Whatever cannot be understood is returned as it is: ``parse`` says what is wrong with it.
    """
    if (content_type or "").startswith(CONTENT_TYPE):
        return body
    event: dict[str, Any] = {}
    for name, value in headers.items():
        for prefix in ACCEPTED_PREFIXES:
            if name.startswith(prefix):
                event[name.removeprefix(prefix).lower()] = value
    if "specversion" not in event:
        return body
    event["datacontenttype"] = content_type or "application/json"
    try:
        event["data"] = from_json(body) if body else None
    except ValueError:
        return body
    return json.dumps(event).encode()


def parse(body: bytes) -> Envelope:
    """The event in a structured body. Raises ``PermanentError``: a body that is no event stays none."""
    try:
        return Envelope.model_validate_json(body)
    except ValidationError as error:
        raise PermanentError(
            f"not a CloudEvent: {error.errors(include_url=False, include_input=False)}"
        ) from error
