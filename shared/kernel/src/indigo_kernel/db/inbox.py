"""From an envelope to a use case, once: the inbox row and the effect share a transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import structlog
from indigo_contracts.envelope import Envelope, Fact
from pydantic import ValidationError

from indigo_kernel.bus.ports import PermanentError, Subscription
from indigo_kernel.db.uow import UnitOfWork

log = structlog.get_logger()

U = TypeVar("U", bound=UnitOfWork)

Apply = Callable[[U, Any, Envelope], Awaitable[None]]
"""A consumer: ``async def on_plan_published(uow, fact, envelope)``; ``fact`` is the model it is registered for."""


def subscription(
    consumer: str,
    name: str,
    uow: Callable[[], U],
    on: Mapping[type[Fact], Apply[U]],
    *,
    concurrency: int = 16,
) -> Subscription:
    """A subscription ``<consumer>.<name>`` that applies each fact of ``on`` exactly once.

    Facts are told apart by the envelope's ``type``: a retry hop changes the routing key. A payload that does
    not fit its model can never be applied and is a ``PermanentError``.
    """
    models = {model.fact: (model, apply) for model, apply in on.items()}

    async def handle(envelope: Envelope) -> None:
        if envelope.fact not in models:
            log.info("event.ignored", fact=envelope.fact, event_id=envelope.id)
            return
        model, apply = models[envelope.fact]
        try:
            fact = model.model_validate(envelope.data)
        except ValidationError as error:
            raise PermanentError(f"{envelope.fact} does not fit its schema: {error}") from error
        async with uow() as work:
            if await work.first_time(f"{consumer}.{name}", f"{envelope.source} {envelope.id}"):
                await apply(work, fact, envelope)

    return Subscription(consumer, name, tuple(models), handle, concurrency)
