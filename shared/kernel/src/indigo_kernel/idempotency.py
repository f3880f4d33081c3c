"""``Idempotency-Key``: the same POST sent twice has one effect and one answer.

Semantics of draft-ietf-httpapi-idempotency-key-header: 400 when the key is missing where it is required, 409 while
the first request is still running, 422 when the key comes with another request. The answer is stored in the
transaction of the effect, so a crash leaves both or neither; who is running holds an advisory lock of that
transaction, so nothing is left to clean up after a crash.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from indigo_kernel.http.scope import route_path
from indigo_kernel.problems import BadRequest, IdempotencyMismatch, InProgress

KEPT = timedelta(hours=24)
"""How long an answer is remembered."""

_QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"')
_BARE = re.compile(r"[\x21\x23-\x7e]{1,255}")

_LOCK = sa.text("SELECT pg_try_advisory_xact_lock(:lock)")
_FIND = sa.text(
    "SELECT fingerprint, status, headers, body, created_at FROM idempotency_keys"
    " WHERE principal = :principal AND method = :method AND path = :path AND key = :key"
)
_FORGET = sa.text(
    "DELETE FROM idempotency_keys"
    " WHERE principal = :principal AND method = :method AND path = :path AND key = :key"
)
_STORE = sa.text(
    "INSERT INTO idempotency_keys"
    " (principal, method, path, key, fingerprint, status, headers, body, created_at)"
    " VALUES (:principal, :method, :path, :key, :fingerprint, :status, CAST(:headers AS jsonb), :body, :now)"
    " ON CONFLICT DO NOTHING RETURNING status"
)
_EXPIRE = sa.text("DELETE FROM idempotency_keys WHERE created_at < :before")

Effect = Callable[[], Awaitable[Response]]
"""Does the work in the transaction of the connection and returns the answer to keep."""


async def idempotent(
    request: Request,
    conn: AsyncConnection,
    principal: str,
    effect: Effect,
    *,
    now: datetime,
    required: bool = True,
) -> Response:
    """The answer of ``effect``, which runs once per ``principal``, method, path and key within 24 hours.

    Call it inside the transaction that ``effect`` works in and commit afterwards; an exception stores nothing.
    A repeated answer has ``Idempotency-Replayed: true``. Without a key, ``effect`` just runs unless the key is
    ``required``. Raises ``BadRequest``, ``InProgress`` (with ``Retry-After``), ``IdempotencyMismatch``.
    """
    value = request.headers.get("idempotency-key")
    if value is None:
        if required:
            raise BadRequest("This route needs an Idempotency-Key header, a new value for each new request")
        return await effect()
    names = {
        "principal": principal,
        "method": request.method,
        "path": route_path(request.scope),
        "key": parse_key(value),
    }
    if not (await conn.execute(_LOCK, {"lock": _lock_number(names)})).scalar_one():
        raise _in_progress()
    fingerprint = await _fingerprint(request)
    row = (await conn.execute(_FIND, names)).one_or_none()
    if row is not None and row.created_at > now - KEPT:
        if row.fingerprint != fingerprint:
            raise IdempotencyMismatch("The first request with this Idempotency-Key was a different one")
        return _replay(row.status, row.headers, row.body)
    if row is not None:
        await conn.execute(_FORGET, names)
    answer = await effect()
    stored = await conn.execute(
        _STORE,
        {
            **names,
            "fingerprint": fingerprint,
            "status": answer.status_code,
            "headers": json.dumps(_lasting_headers(answer)),
            "body": bytes(answer.body),
            "now": now,
        },
    )
    if stored.one_or_none() is None:
        # A snapshot older than the lock (repeatable read): the other one won, this one rolls back.
        raise _in_progress()
    return answer


async def expire_keys(conn: AsyncConnection, now: datetime) -> int:
    """Forget answers older than 24 hours; how many there were. The caller commits."""
    return (await conn.execute(_EXPIRE, {"before": now - KEPT})).rowcount


def parse_key(value: str) -> str:
    """The key in a header: a structured-field string (RFC 8941, 3.3.3), or bare as many clients send it.

    1 to 255 visible ASCII characters; raises ``BadRequest`` for anything else.
    """
    text = value.strip()
    match = _QUOTED.fullmatch(text)
    if match:
        return re.sub(r"\\(.)", r"\1", match[1])
    if _BARE.fullmatch(text):
        return text
    raise BadRequest("Idempotency-Key takes 1 to 255 visible ASCII characters, best in double quotes")


def _in_progress() -> InProgress:
    return InProgress("The first request with this Idempotency-Key is still running", headers={"retry-after": "1"})


def _lock_number(names: dict[str, str]) -> int:
    """A signed 64-bit number for PostgreSQL's advisory locks, from everything that makes the key unique."""
    text = json.dumps(["idempotency", *names.values()]).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big", signed=True)


async def _fingerprint(request: Request) -> str:
    """SHA-256 of what the request asks for: query, media type and body."""
    digest = hashlib.sha256()
    for part in (
        request.scope["query_string"],
        request.headers.get("content-type", "").encode(),
        await request.body(),
    ):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _lasting_headers(answer: Response) -> list[list[str]]:
    # The length follows from the body; the date belongs to each sending.
    return [
        [name.decode("latin-1"), value.decode("latin-1")]
        for name, value in answer.raw_headers
        if name not in {b"content-length", b"date"}
    ]


def _replay(status: int, headers: list[list[str]], body: bytes) -> Response:
    answer = Response(body, status_code=status)
    answer.raw_headers.extend((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)
    answer.headers["idempotency-replayed"] = "true"
    return answer
