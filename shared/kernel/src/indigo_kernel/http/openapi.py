"""The OpenAPI document: complete about errors, strict about names and about numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from indigo_contracts.problems import MEDIA_TYPE, PROBLEMS, FieldError, Problem
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from indigo_kernel.auth.dependency import SECURITY_SCHEMES, principal
from indigo_kernel.problems import BadRequest, DomainError, InvalidText, TooLarge, UnsupportedMediaType

_REFERENCES = "#/components/schemas/{model}"
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

Responses = dict[int | str, dict[str, Any]]


class ApiError(Exception):
    """The routes break a rule of the house; the message says which route and what to do. Raised at startup."""


def responses(*errors: type[DomainError] | str) -> Responses:
    """The OpenAPI answers of a route that can fail with ``errors`` (classes or slugs of ``PROBLEMS``).

    Use it as ``responses=responses(NotFound, StaleVersion)``; what every route can answer is there already.
    """
    titles: dict[int, list[str]] = {}
    for one in errors:
        slug = one if isinstance(one, str) else one.slug
        status, title = PROBLEMS[slug]
        titles.setdefault(status, []).append(f"{title} (`{slug}`)")
    return {
        status: {
            "description": "; ".join(told),
            "content": {MEDIA_TYPE: {"schema": {"$ref": _REFERENCES.format(model="Problem")}}},
        }
        for status, told in sorted(titles.items())
    }


EVERY_ROUTE = responses(BadRequest, InvalidText, "invalid-parameter", "invalid-body", "internal")
"""What any route can answer, because the kernel answers it."""

_WITH_BODY = responses(TooLarge, UnsupportedMediaType)


def complete(document: dict[str, Any]) -> None:
    """Add the problem schemas, and to each operation with a body the answers its size and type can cause."""
    _, definitions = models_json_schema(
        [(Problem, "serialization"), (FieldError, "serialization")], ref_template=_REFERENCES
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(definitions["$defs"])
    for _, _, operation in operations(document):
        if "requestBody" in operation:
            for status, answer in _WITH_BODY.items():
                operation["responses"].setdefault(str(status), answer)


def secure(document: dict[str, Any], routes: list[BaseRoute]) -> None:
    """Say of every operation that looks at the principal how to authenticate, and that one need not everywhere.

    Written here and not by FastAPI's security classes: those would run for each request and find nothing that
    ``authenticate`` does not find better.
    """
    looking = {
        context.operation_id or context.unique_id
        for context in iter_route_contexts(routes)
        if isinstance(context.original_route, APIRoute) and _looks_at_principal(context.original_route.dependant)
    }
    for _, _, operation in operations(document):
        if operation["operationId"] in looking:
            operation["security"] = [{}, *({scheme: []} for scheme in SECURITY_SCHEMES)]
    document.setdefault("components", {})["securitySchemes"] = SECURITY_SCHEMES


def _looks_at_principal(dependant: Dependant) -> bool:
    return dependant.call is principal or any(_looks_at_principal(each) for each in dependant.dependencies)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every (path, method, operation) of the document."""
    for path, item in document.get("paths", {}).items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method]


def check_names(routes: list[BaseRoute], service: str) -> None:
    """Raise ``ApiError`` unless each route has one method and a unique name ``<service>_<verb>_<noun>``."""
    shape = re.compile(rf"{re.escape(service)}_[a-z]+(?:_[a-z0-9]+)+")
    seen: dict[str, str] = {}
    for context in iter_route_contexts(routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or not context.include_in_schema:
            continue
        name = context.operation_id or context.unique_id
        path = context.path_format or ""
        if not shape.fullmatch(name):
            raise ApiError(
                f"{path}: the operationId {name} is not {service}_<verb>_<noun>; "
                f"name the function <verb>_<noun> or set operation_id"
            )
        if len(context.methods or ()) > 1:
            raise ApiError(f"{path}: {name} has several methods; HEAD is answered by itself, split the others")
        if name in seen:
            raise ApiError(f"{path} and {seen[name]} have the same operationId {name}")
        seen[name] = path


def check_numbers(document: dict[str, Any]) -> None:
    """Raise ``ApiError`` for an integer parameter without bounds: past int64 it would break the database."""
    for path, method, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if any(_unbounded(schema) for schema in _alternatives(parameter["schema"])):
                raise ApiError(
                    f"{method.upper()} {path}: the integer parameter {parameter['name']} has no bounds; "
                    "declare it as indigo_kernel.http.params.Int64 or with ge and le"
                )


def _alternatives(schema: dict[str, Any]) -> list[dict[str, Any]]:
    nested = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    if "items" in schema:
        nested.append(schema["items"])
    return [schema, *(inner for one in nested for inner in _alternatives(one))]


def _unbounded(schema: dict[str, Any]) -> bool:
    return (
        schema.get("type") == "integer"
        and "enum" not in schema
        and "const" not in schema
        and not (
            ("maximum" in schema or "exclusiveMaximum" in schema)
            and ("minimum" in schema or "exclusiveMinimum" in schema)
        )
    )
