"""API keys: long-lived secrets with which a portal or a script acts for the person who made them.

A key reads ``indigo_<8 characters>_<40 characters>``. The first part finds the row, of the second only
the SHA-256 is stored: it has 238 random bits, so there is nothing for a slow hash to protect.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from indigo_contracts.problems import FieldError
from sqlalchemy.ext.asyncio import AsyncEngine

from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import covers
from indigo_kernel.auth.tokens import InvalidToken
from indigo_kernel.clock import Clock
from indigo_kernel.db.tables import kernel_tables
from indigo_kernel.ids import new_id
from indigo_kernel.problems import Conflict, Forbidden, InvalidBody, NotFound, Unauthenticated

MAX_LIFETIME = timedelta(days=366)
MAX_LIVE_KEYS = 100
"""Per owner."""
USE_NOTED_EVERY = timedelta(minutes=1)

_ALPHABET = string.ascii_letters + string.digits
_KEY = re.compile(r"indigo_([0-9A-Za-z]{8})_([0-9A-Za-z]{32,64})")
_NOBODY = "0" * 64
_metadata = sa.MetaData()
kernel_tables(_metadata)
_KEYS = _metadata.tables["api_keys"]


def looks_like_api_key(credential: str) -> bool:
    """Whether a bearer credential is meant as an API key and not as a token."""
    return credential.startswith("indigo_")


@dataclass(frozen=True, slots=True)
class ApiKeyInfo:
    """A key as its owner sees it, without the secret."""

    id: str
    prefix: str
    scopes: tuple[str, ...]
    note: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class ApiKeys:
    """The keys of one service, in its own database. Each call is a transaction of its own."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def create(
        self, who: Principal, *, scopes: Collection[str], expires_at: datetime, note: str = ""
    ) -> tuple[ApiKeyInfo, str]:
        """A new key for ``who``; the second value is the key itself, which is never seen again.

        The groups ``who`` has now go with the key until it expires. Raises ``Unauthenticated`` for
        nobody, ``Forbidden`` for a principal that came with an API key (a leaked key must not outlive
        its revocation) or asks for a scope it has not, ``InvalidBody`` for an expiry in the past or more
        than ``MAX_LIFETIME`` away, ``Conflict`` when there are ``MAX_LIVE_KEYS`` already.
        """
        now = self._clock.now()
        if who.anonymous:
            raise Unauthenticated("An API key belongs to somebody: a token is needed")
        if who.via != "token":
            raise Forbidden("An API key is made with a token, not with another API key")
        for scope in scopes:
            if not covers(who.scopes, scope):
                raise Forbidden(f"A key cannot have a scope its owner has not: {scope}")
        if not now < expires_at <= now + MAX_LIFETIME:
            detail = f"must lie in the future, at most {MAX_LIFETIME.days} days away"
            error = FieldError(pointer="/expires_at", detail=detail, code="out_of_range")
            raise InvalidBody(f"expires_at {detail}", errors=[error])
        prefix, secret = _random(8), _random(40)
        info = ApiKeyInfo(new_id(), prefix, tuple(sorted(set(scopes))), note, now, expires_at, None)
        async with self._engine.begin() as connection:
            live = sa.select(sa.func.count()).where(*_owned(who), *_live(now))
            if (await connection.execute(live)).scalar_one() >= MAX_LIVE_KEYS:
                raise Conflict(f"You have {MAX_LIVE_KEYS} API keys; revoke one first")
            await connection.execute(
                sa.insert(_KEYS).values(
                    id=info.id,
                    prefix=prefix,
                    secret_sha256=_digest(secret),
                    issuer=who.iss,
                    subject=who.sub,
                    scopes=list(info.scopes),
                    groups=sorted(who.groups),
                    note=note,
                    created_at=now,
                    expires_at=expires_at,
                )
            )
        return info, f"indigo_{prefix}_{secret}"

    async def live(self, who: Principal) -> list[ApiKeyInfo]:
        """The keys of ``who`` that still count, newest first."""
        columns = [_KEYS.c[name] for name in ApiKeyInfo.__dataclass_fields__]
        query = sa.select(*columns).where(*_owned(who), *_live(self._clock.now()))
        async with self._engine.connect() as connection:
            rows = await connection.execute(query.order_by(_KEYS.c.id.desc()))
            return [ApiKeyInfo(**{**row, "scopes": tuple(row["scopes"])}) for row in rows.mappings()]

    async def revoke(self, who: Principal, key_id: str) -> None:
        """End a key now. Raises ``NotFound`` unless ``who`` has such a key that was not revoked before."""
        update = (
            sa.update(_KEYS)
            .where(_KEYS.c.id == key_id, *_owned(who), _KEYS.c.revoked_at.is_(None))
            .values(revoked_at=self._clock.now())
        )
        async with self._engine.begin() as connection:
            if (await connection.execute(update)).rowcount == 0:
                raise NotFound("There is no such API key")

    async def authenticate(self, key: str) -> Principal:
        """The owner of ``key``, with the key's scopes. Raises ``InvalidToken`` (401) when it does not count."""
        match = _KEY.fullmatch(key)
        if match is None:
            raise InvalidToken("it is not an API key")
        now = self._clock.now()
        async with self._engine.begin() as connection:
            query = sa.select(_KEYS).where(_KEYS.c.prefix == match[1])
            row = (await connection.execute(query)).mappings().one_or_none()
            # an unknown prefix takes the same path, so that its answer takes the same time
            stored = _NOBODY if row is None else row["secret_sha256"]
            same = hmac.compare_digest(stored, _digest(match[2]))
            if row is None or not same or row["revoked_at"] is not None:
                raise InvalidToken("it is not a known API key")
            if row["expires_at"] <= now:
                raise InvalidToken("the API key has expired")
            if row["last_used_at"] is None or now - row["last_used_at"] >= USE_NOTED_EVERY:
                await connection.execute(sa.update(_KEYS).where(_KEYS.c.id == row["id"]).values(last_used_at=now))
        return Principal(
            iss=row["issuer"],
            sub=row["subject"],
            scopes=frozenset(row["scopes"]),
            groups=frozenset(row["groups"]),
            via="api-key",
        )


def _owned(who: Principal) -> tuple[sa.ColumnElement[bool], ...]:
    return (_KEYS.c.issuer == who.iss, _KEYS.c.subject == who.sub)


def _live(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (_KEYS.c.revoked_at.is_(None), _KEYS.c.expires_at > now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
