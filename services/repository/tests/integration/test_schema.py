"""The migrations make the tables the code uses, and can be undone."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from indigo_kernel.db import migrate
from indigo_repository.adapters.db.tables import metadata
from indigo_repository.bootstrap import MIGRATIONS
from sqlalchemy.ext.asyncio import create_async_engine


async def test_migrated_is_what_the_code_declares_and_goes_back_to_nothing(make_database):
    engine = create_async_engine(await make_database("repository_schema"))
    await migrate.upgrade(engine, MIGRATIONS)
    async with engine.connect() as conn:
        difference = await conn.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync, opts={"compare_type": True}), metadata)
        )
    assert difference == []
    await migrate.downgrade(engine, MIGRATIONS, "base")
    async with engine.connect() as conn:
        left = await conn.run_sync(lambda sync: sa.inspect(sync).get_table_names())
    await engine.dispose()
    assert left == ["alembic_version"]
