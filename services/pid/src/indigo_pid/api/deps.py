"""What the routes need, handed in by ``bootstrap``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_pid.application.identifiers import Rules
from indigo_pid.application.ports import Work
from indigo_pid.application.registrars import Registrars


class ApiWork(Work, Protocol):
    """A transaction a repeated POST can be remembered in."""

    conn: AsyncConnection


@dataclass(frozen=True, slots=True)
class Deps:
    """A new transaction for each request, the rules names are made by, and the registrars of DOIs."""

    work: Callable[[], AbstractAsyncContextManager[ApiWork]]
    rules: Rules
    registrars: Registrars
