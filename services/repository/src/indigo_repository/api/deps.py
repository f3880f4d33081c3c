"""What the routes work with, and small readings of a request."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Path
from indigo_contracts.text import relative_path
from indigo_kernel.auth.principal import Principal
from indigo_kernel.problems import NotFound
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_repository.application.ports import Preservation, Staging
from indigo_repository.application.uploads import Limits
from indigo_repository.application.work import Work
from indigo_repository.domain.site import Site

_UPLOAD = re.compile(r"/api/records/[^/]+/draft/files/.+/content")

RecordId = Annotated[str, Path(max_length=64, description="Id of the record")]
FileKey = Annotated[str, Path(max_length=2048, description="Path of the file in the record")]


class EdgeWork(Work, Protocol):
    """A unit of work whose connection the idempotency of a route shares."""

    @property
    def conn(self) -> AsyncConnection: ...


@dataclass(frozen=True, slots=True)
class Room:
    """Everything the routes use."""

    open_work: Callable[[], AbstractAsyncContextManager[EdgeWork]]
    staging: Staging
    store: Preservation
    site: Site
    limits: Limits


def streams(method: str, path: str) -> bool:
    """Whether a route reads a body of any size by itself: uploads do."""
    return method == "PUT" and _UPLOAD.fullmatch(path) is not None


def file_key(key: str) -> str:
    """A key of a URL as it is stored. Raises ``NotFound`` for what no file can be called."""
    try:
        return relative_path(key)
    except ValueError as error:
        raise NotFound("The record has no such file") from error


def principal_name(who: Principal) -> str:
    """Who an idempotency key belongs to."""
    return f"{who.iss}#{who.sub}"
