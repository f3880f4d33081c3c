"""Our messages as AMQP 0-9-1 messages and back: properties, mirrored headers, attempts and deaths."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from indigo_contracts.envelope import CONTENT_TYPE

from indigo_kernel.bus.consume import POISON, Fate
from indigo_kernel.bus.ports import DeadLetter, Message
from indigo_kernel.bus.wire import HEADER_PREFIX, attributes, structured

ATTEMPT = "x-attempt"
"""Tries that failed before this delivery."""

ROUTING_KEY = "x-routing-key"
"""The routing key the event was published with: a hop through a retry queue replaces the real one."""

ERROR_TYPE, ERROR_DETAIL = "x-error-type", "x-error-detail"


def encode(message: Message, *, app: str, extra: Mapping[str, str | int] | None = None) -> aio_pika.Message:
    """A persistent AMQP message in structured mode, its attributes mirrored as headers."""
    event = attributes(message.body)
    headers: dict[str, Any] = {name: value for name, value in message.headers.items() if not name.startswith("x-")}
    headers |= {HEADER_PREFIX + name: value for name, value in event.items()}
    if "traceparent" in event:
        headers["traceparent"] = event["traceparent"]
    headers |= {ROUTING_KEY: message.routing_key} | dict(extra or {})
    return aio_pika.Message(
        message.body,
        headers=headers,
        content_type=f"{CONTENT_TYPE}; charset=utf-8" if event else "application/octet-stream",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=message.id,
        type=event.get("type"),
        correlation_id=event.get("correlationid"),
        timestamp=_instant(event.get("time")),
        app_id=app,
    )


def decode(incoming: AbstractIncomingMessage) -> Message:
    """The message in a delivery. One without an id gets its content's hash, so a copy has the same."""
    headers = {name: text for name, value in incoming.headers.items() if (text := _text(value)) is not None}
    body = structured(incoming.body, headers, incoming.content_type)
    event = attributes(body)
    message_id = event.get("id") or incoming.message_id or f"sha256:{hashlib.sha256(incoming.body).hexdigest()}"
    return Message(
        id=message_id,
        routing_key=headers.get(ROUTING_KEY) or incoming.routing_key or "",
        subject=event.get("subject") or message_id,
        body=body,
        headers=headers,
    )


def attempt_of(message: Message) -> int:
    value = message.headers.get(ATTEMPT, "0")
    return int(value) if value.isascii() and value.isdecimal() else 0


def death_headers(fate: Fate, *, attempt: int) -> dict[str, str | int]:
    """Headers of a message on its way to the dead letters."""
    return {ATTEMPT: attempt, ERROR_TYPE: fate.error_type, ERROR_DETAIL: fate.error_detail}


def dead_letter(queue: str, incoming: AbstractIncomingMessage) -> DeadLetter:
    """The dead letter of ``queue`` in a delivery from its dead queue; the broker's own reasons count too."""
    message = decode(incoming)
    deaths = _deaths(incoming)
    if deaths and ROUTING_KEY not in message.headers:  # published by others, buried by the broker
        message = replace(message, routing_key=_first_routing_key(deaths) or message.routing_key)
    if ERROR_TYPE in message.headers:
        kind, detail = message.headers[ERROR_TYPE], message.headers.get(ERROR_DETAIL, "")
    else:
        reasons = [_text(death.get("reason")) or "unknown" for death in deaths]
        poisoned = "delivery_limit" in reasons
        kind = POISON if poisoned else "DeadLettered"
        detail = "the consumer died in each delivery" if poisoned else f"by the broker: {', '.join(reasons)}"
    return DeadLetter(queue, message, kind, detail, attempt_of(message) + 1)


def _deaths(incoming: AbstractIncomingMessage) -> list[dict[str, Any]]:
    """The broker's account of where the message died, the latest first."""
    deaths = incoming.headers.get("x-death")
    return [death for death in deaths if isinstance(death, dict)] if isinstance(deaths, list) else []


def _first_routing_key(deaths: list[dict[str, Any]]) -> str | None:
    keys = deaths[-1].get("routing-keys")
    return _text(keys[0]) if isinstance(keys, list) and keys else None


def _text(value: object) -> str | None:
    """A header's value as text; None for tables and lists, which are no CloudEvents attributes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str | int | float):
        return str(value)
    return None


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
