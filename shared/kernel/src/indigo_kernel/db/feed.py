"""Published events over HTTP, for subscribers without AMQP, and the dead letters for operators.

Sources: CloudEvents 1.0.2 JSON batch format and dataref extension; RFC 8288 (Link).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from indigo_contracts.envelope import TYPE_PREFIX, Envelope
from pydantic import BaseModel, ConfigDict, Field, RootModel
from sqlalchemy.ext.asyncio import AsyncEngine

from indigo_kernel.auth.dependency import Who
from indigo_kernel.bus.ports import Bus
from indigo_kernel.clock import Clock
from indigo_kernel.db import dead_letters
from indigo_kernel.db.dead_letters import DeadLetterView
from indigo_kernel.db.relay import EVENTS, OUTBOX
from indigo_kernel.http.jsontext import INT64_MAX
from indigo_kernel.http.scope import route_path
from indigo_kernel.pagination import Page, Paging
from indigo_kernel.problems import NotFound, Unauthenticated

BATCH_TYPE = "application/cloudevents-batch+json"
MOST_EVENTS = 500

Dependency = Callable[..., Any]


class EventPage(BaseModel):
    """Published events in order. Ask again with ``after`` set to ``next`` for those that follow."""

    model_config = ConfigDict(frozen=True)

    items: list[Envelope]
    next: int = Field(description="position up to which the feed has been read")


class EventData(RootModel[dict[str, Any]]):
    """The data of one event, without its envelope."""


async def known(who: Who) -> None:
    """Let everyone pass who says who they are: facts about drafts hold no content, actors are named in them."""
    if not who.is_authenticated:
        raise Unauthenticated("Reading the events takes a token or an API key")


def events_router(
    engine: AsyncEngine,
    bus: Bus,
    *,
    clock: Clock,
    operator: Dependency,
    events: Dependency = known,
) -> APIRouter:
    """``/events`` for whom ``events`` lets pass, ``/dead-letters`` for whom ``operator`` does."""
    router = APIRouter(tags=["events"])

    @router.get(
        "/events", dependencies=[Depends(events)], response_model=EventPage, response_model_exclude_none=True
    )
    async def list_events(
        request: Request,
        response: Response,
        after: Annotated[int, Query(ge=0, le=INT64_MAX, description="position after which to read")] = 0,
        event_type: Annotated[
            str | None, Query(alias="type", max_length=200, description="event type, with or without prefix")
        ] = None,
        subject: Annotated[str | None, Query(max_length=1000)] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_EVENTS)] = 100,
    ) -> EventPage | Response:
        rows, position = await _read(engine, after=after, type_=event_type, subject=subject, limit=limit)
        link = {}
        if len(rows) == limit:  # there may be more at once; otherwise the reader polls
            query: dict[str, str | int] = {"after": position, "limit": limit}
            query |= {
                name: value for name, value in (("type", event_type), ("subject", subject)) if value is not None
            }
            url = f"{request.app.state.public_url}{quote(route_path(request.scope))}?{urlencode(query)}"
            link = {"link": f'<{url}>; rel="next"'}
        if BATCH_TYPE in request.headers.get("accept", ""):
            body = b"[" + b",".join(row.body.encode() for row in rows) + b"]"
            headers = {**link, "indigo-feed-next": str(position), "vary": "accept"}
            return Response(body, media_type=BATCH_TYPE, headers=headers)
        response.headers.update({**link, "vary": "accept"})
        return EventPage(items=[Envelope.model_validate_json(row.body) for row in rows], next=position)

    @router.get("/events/{event_id}/data")
    async def get_event_data(event_id: Annotated[str, Path(max_length=200)]) -> EventData:
        """What a claim check stands for. Who has the event's id, which nobody can guess, may read its data."""
        async with engine.connect() as connection:
            # The event is published before it is moved: a quick reader finds it in the outbox still.
            for table in (EVENTS, OUTBOX, EVENTS):
                body = await connection.scalar(sa.select(table.c.body).where(table.c.event_id == event_id))
                if body is not None:
                    return EventData(Envelope.model_validate_json(body).data or {})
        raise NotFound(f"There is no event {event_id}")

    @router.get("/dead-letters", dependencies=[Depends(operator)])
    async def list_dead_letters(
        paging: Paging, queue: Annotated[str | None, Query(max_length=255)] = None
    ) -> Page[DeadLetterView]:
        after: Any = paging.after
        letters = await dead_letters.list_dead_letters(engine, queue=queue, after=after, limit=paging.limit + 1)
        return paging.page(letters, key=lambda letter: (letter.died_at, letter.id))

    @router.post("/dead-letters/{letter_id}/replay", dependencies=[Depends(operator)])
    async def replay_dead_letter(letter_id: Annotated[str, Path(max_length=200)]) -> DeadLetterView:
        return await dead_letters.replay_dead_letter(engine, bus, letter_id, clock=clock)

    return router


async def _read(
    engine: AsyncEngine, *, after: int, type_: str | None, subject: str | None, limit: int
) -> tuple[list[sa.Row[int, str]], int]:
    """A page of the feed and the position it ends at.

    Positions become visible in their order (one relay numbers them), so a page that is not full has seen
    everything up to the highest position of its own snapshot, whatever the filters left out.
    """
    query = sa.select(EVENTS.c.position, EVENTS.c.body).where(EVENTS.c.position > after)
    if type_ is not None:
        query = query.where(EVENTS.c.fact == type_.removeprefix(TYPE_PREFIX))
    if subject is not None:
        query = query.where(EVENTS.c.subject == subject)
    async with engine.connect() as connection:
        # Asked first: what is committed between the two questions is then read again, not skipped.
        highest = await connection.scalar(sa.select(sa.func.max(EVENTS.c.position)))
        rows = list(await connection.execute(query.order_by(EVENTS.c.position).limit(limit)))
    if len(rows) == limit:
        return rows, rows[-1].position
    return rows, max(after, highest or 0, *(row.position for row in rows))
