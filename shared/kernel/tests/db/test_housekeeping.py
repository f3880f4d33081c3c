"""Old rows go, young ones stay."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from indigo_kernel.db.housekeeping import INBOX_KEPT, Housekeeping
from indigo_kernel.db.uow import Database


async def test_only_what_is_too_old_is_forgotten(database: Database) -> None:
    now = database.clock.now()
    ages = {"old": INBOX_KEPT + timedelta(hours=1), "young": timedelta(days=1)}
    async with database.engine.begin() as conn:
        for name, age in ages.items():
            at = {"name": name, "inbox_at": now - age, "key_at": now - age + timedelta(hours=5)}
            await conn.execute(sa.text("INSERT INTO inbox VALUES ('c', :name, :inbox_at)"), at)
            await conn.execute(
                sa.text(
                    "INSERT INTO idempotency_keys (principal, method, path, key, fingerprint, created_at)"
                    " VALUES ('p', 'POST', '/', :name, 'f', :key_at)"
                ),
                at,
            )
    await Housekeeping(database).tidy()
    async with database.engine.connect() as conn:
        assert (await conn.execute(sa.text("SELECT event_id FROM inbox"))).scalars().all() == ["young"]
        assert (await conn.execute(sa.text("SELECT key FROM idempotency_keys"))).scalars().all() == ["young"]
