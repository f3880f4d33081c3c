"""What the routes are given."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Protocol

from fastapi import Depends, Request
from indigo_kernel.auth.dependency import Who, require
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_dmp.application.ports import Work

__all__ = ["EdgeWork", "Publisher", "Who", "WorkFactory", "Works", "Writer"]


class EdgeWork(Work, Protocol):
    """A unit of work with its transaction, which ``Idempotency-Key`` needs."""

    conn: AsyncConnection


WorkFactory = Callable[[], AbstractAsyncContextManager[EdgeWork]]


async def _works(request: Request) -> WorkFactory:
    factory: WorkFactory = request.app.state.works
    return factory


Works = Annotated[WorkFactory, Depends(_works)]
"""Begins units of work; ``async with works() as work`` commits on leaving."""

Writer = Annotated[Principal, Depends(require(Scope.DMP_WRITE))]
Publisher = Annotated[Principal, Depends(require(Scope.DMP_PUBLISH))]
