"""What routes need: the gateway itself, and the path a request is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from indigo_contracts.problems import FieldError
from indigo_kernel.http.scope import route_path
from indigo_kernel.problems import BadRequest
from starlette.convertors import Convertor, register_url_convertor

from indigo_qos_gateway.application.access import Access
from indigo_qos_gateway.application.batches import BatchLimits
from indigo_qos_gateway.application.notifying import QueueLimits
from indigo_qos_gateway.application.objects import Gateway
from indigo_qos_gateway.domain.paths import parse_path, parse_text
from indigo_qos_gateway.domain.selection import Selection, parse_selection


def path_at(text: str, pointer: str) -> str:
    """The path in a body or a parameter. Raises ``BadRequest`` with where it is."""
    try:
        return parse_text(text)
    except BadRequest as error:
        error.errors.append(FieldError(pointer=pointer, detail=error.detail, code="path"))
        raise


class _AnyPath(Convertor[str]):
    """Everything, line ends too: a name that has one is refused with a word, not overlooked."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("tree", _AnyPath())


@dataclass(frozen=True, slots=True)
class Service:
    """``own_names`` are first path segments the gateway uses itself; ``polling_ms`` is told to clients.

    ``site`` is what the Tape REST API is found by; ``limits`` are those of requests for many paths,
    ``queue_limits`` those of queues; ``issuers`` say who somebody is.
    """

    gateway: Gateway
    access: Access
    own_names: frozenset[str]
    polling_ms: int
    site: str
    limits: BatchLimits
    queue_limits: QueueLimits
    issuers: tuple[str, ...]


async def _service(request: Request) -> Service:
    service: Service = request.app.state.gateway
    return service


Here = Annotated[Service, Depends(_service)]
"""Parameter of a route: the gateway."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about: the path, whether it was written with a slash at its end, and the fields."""

    path: str
    slash: bool
    selection: Selection


def target(request: Request) -> Target:
    """The path is read from the raw target: ``%2F`` is no slash, and a slash at the end has a meaning."""
    raw: bytes = request.scope.get("raw_path") or route_path(request.scope).encode()
    prefix: str = request.scope.get("root_path", "")
    found, slash = parse_path(raw.removeprefix(prefix.encode()))
    return Target(found, slash, parse_selection(request.scope["query_string"]))


async def _target(request: Request, path: str = "") -> Target:  # noqa: ARG001 - FastAPI documents the parameter
    return target(request)


About = Annotated[Target, Depends(_target)]
"""Parameter of a route below the tree: its path and the fields asked for."""
