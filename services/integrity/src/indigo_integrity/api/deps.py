"""What routes need from the composition root."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Protocol

from fastapi import Depends, Request
from indigo_kernel.auth.dependency import require
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_integrity.application.ports import Transaction


class ApiWork(Transaction, Protocol):
    """A transaction with its connection, for the kernel's idempotency keys."""

    conn: AsyncConnection


NewWork = Callable[[], ApiWork]


async def _new_work(request: Request) -> NewWork:
    factory: NewWork = request.app.state.work
    return factory


Works = Annotated[NewWork, Depends(_new_work)]
"""Opens units of work: ``async with works() as work``; the transaction ends before the answer is sent."""

Tester = Annotated[Principal, Depends(require(Scope.INTEGRITY_RUN))]
"""Someone who may start tests."""


def who_id(who: Principal) -> str:
    """The principal as the owner of an idempotency key."""
    return f"{who.iss} {who.sub}"
