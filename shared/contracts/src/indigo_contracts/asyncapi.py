"""AsyncAPI 3.0 documents out of the catalogue: what a service sends and receives, for people and generators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from indigo_contracts.envelope import CONTENT_TYPE, Envelope, Fact

EXCHANGE = "indigo.events"


def asyncapi(
    title: str, version: str, *, sends: Iterable[type[Fact]], receives: Iterable[type[Fact]] = ()
) -> dict[str, Any]:
    """The document of one service, or of the suite. Channel address = AMQP routing key."""
    sent, received = list(sends), list(receives)
    facts = {fact.fact: fact for fact in [*sent, *received]}
    models: list[type[BaseModel]] = [Envelope, *facts.values()]
    _, schemas = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version},
        "defaultContentType": CONTENT_TYPE,
        "channels": {fact.__name__: _channel(fact) for fact in facts.values()},
        "operations": {
            **{f"send{fact.__name__}": _operation("send", fact) for fact in sent},
            **{f"receive{fact.__name__}": _operation("receive", fact) for fact in received},
        },
        "components": {
            "messages": {fact.__name__: _message(fact) for fact in facts.values()},
            "schemas": schemas["$defs"],
        },
    }


def _channel(fact: type[Fact]) -> dict[str, Any]:
    return {
        "address": fact.fact,
        "messages": {fact.__name__: {"$ref": f"#/components/messages/{fact.__name__}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _operation(action: str, fact: type[Fact]) -> dict[str, Any]:
    channel = f"#/channels/{fact.__name__}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{fact.__name__}"}],
        "bindings": {"amqp": {"deliveryMode": 2, "bindingVersion": "0.3.0"}},
    }


def _message(fact: type[Fact]) -> dict[str, Any]:
    return {
        "name": fact.event_type(),
        "title": fact.__name__,
        "summary": " ".join((fact.__doc__ or "").split()),
        "contentType": CONTENT_TYPE,
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/Envelope"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": fact.event_type()},
                        "data": {"$ref": f"#/components/schemas/{fact.__name__}"},
                    },
                },
            ]
        },
    }
