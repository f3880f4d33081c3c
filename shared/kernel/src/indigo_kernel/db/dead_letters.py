"""Messages that were given up: kept in the consumer's database, listed and replayed from there."""

from __future__ import annotations

import base64
import re
from datetime import datetime

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from indigo_kernel.bus.ports import Bus, DeadLetter, DeadLetterSink, Message, TransientError
from indigo_kernel.clock import Clock
from indigo_kernel.db.tables import kernel_tables
from indigo_kernel.ids import new_id
from indigo_kernel.problems import NotFound, Unavailable

_metadata = sa.MetaData()
kernel_tables(_metadata)
DEAD_LETTERS = _metadata.tables["dead_letters"]

_BASE64 = "base64:"
"""Marks a body that PostgreSQL's text cannot hold as it is; no JSON begins like this."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class DeadLetterView(BaseModel):
    """A message that was given up. ``replayed_at`` is null until an operator had it delivered again."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    queue: str = Field(examples=["pid.plans"])
    event_id: str
    routing_key: str
    subject: str
    body: str = Field(description="the event as it arrived; `base64:` and its bytes when it is not plain text")
    error_type: str
    error_detail: str
    attempts: int
    died_at: datetime
    replayed_at: datetime | None = None


def sink(engine: AsyncEngine) -> DeadLetterSink:
    """A sink that stores each dead letter once; one that died again after a replay is dead anew."""

    async def keep(letter: DeadLetter) -> None:
        row = {
            "queue": letter.queue,
            "event_id": _plain(letter.message.id),
            "routing_key": _plain(letter.message.routing_key),
            "subject": _plain(letter.message.subject),
            "body": _to_text(letter.message.body),
            "error_type": _plain(letter.error_type),
            "error_detail": _plain(letter.error_detail),
            "attempts": letter.attempts,
        }
        statement = insert(DEAD_LETTERS).values(id=new_id(), **row)
        statement = statement.on_conflict_do_update(
            constraint="uq_dead_letters_queue_event",
            set_={**row, "died_at": sa.func.now(), "replayed_at": None},
        )
        async with engine.begin() as connection:
            await connection.execute(statement)

    return keep


async def list_dead_letters(
    engine: AsyncEngine, *, queue: str | None, after: tuple[datetime, str] | None, limit: int
) -> list[DeadLetterView]:
    """Up to ``limit`` dead letters after a position (``died_at``, ``id``), the latest deaths first."""
    order = sa.tuple_(DEAD_LETTERS.c.died_at, DEAD_LETTERS.c.id)
    query = sa.select(DEAD_LETTERS).order_by(DEAD_LETTERS.c.died_at.desc(), DEAD_LETTERS.c.id.desc()).limit(limit)
    if queue is not None:
        query = query.where(DEAD_LETTERS.c.queue == queue)
    if after is not None:
        query = query.where(order < sa.tuple_(*map(sa.literal, after)))
    async with engine.connect() as connection:
        return [DeadLetterView.model_validate(row) for row in await connection.execute(query)]


async def replay_dead_letter(engine: AsyncEngine, bus: Bus, letter_id: str, *, clock: Clock) -> DeadLetterView:
    """Give a dead letter to its queue again, and to no other.

    Raises ``NotFound`` (404), and ``Unavailable`` (503) when the bus does not take it. The row stays; a crash
    after the bus took it can only make a second replay, which the inbox of the consumer knows.
    """
    this = DEAD_LETTERS.c.id == letter_id
    async with engine.connect() as connection:
        row = (await connection.execute(sa.select(DEAD_LETTERS).where(this))).one_or_none()
    if row is None:
        raise NotFound(f"There is no dead letter {letter_id}")
    try:
        await bus.replay(row.queue, Message(row.event_id, row.routing_key, row.subject, _to_bytes(row.body)))
    except TransientError as error:
        raise Unavailable(str(error)) from error
    # A message that has died again meanwhile is not marked: this replay did not help it.
    mark = sa.update(DEAD_LETTERS).where(this, DEAD_LETTERS.c.died_at == row.died_at)
    async with engine.begin() as connection:
        await connection.execute(mark.values(replayed_at=clock.now()))
        after = (await connection.execute(sa.select(DEAD_LETTERS).where(this))).one()
    return DeadLetterView.model_validate(after)


def _plain(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)


def _to_text(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\x00"
    if _UNSTORABLE.search(text) or text.startswith(_BASE64):
        return _BASE64 + base64.b64encode(body).decode()
    return text


def _to_bytes(text: str) -> bytes:
    if text.startswith(_BASE64):
        return base64.b64decode(text.removeprefix(_BASE64))
    return text.encode()
