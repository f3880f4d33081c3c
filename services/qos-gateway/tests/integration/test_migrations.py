"""The migrations make the tables the code uses."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from indigo_kernel.db.engine import create_engine
from indigo_qos_gateway.adapters.db.tables import metadata


async def test_the_database_is_as_the_tables_say(database):
    engine = create_engine(database, application="test")
    async with engine.connect() as conn:
        found = await conn.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), metadata))
    await engine.dispose()
    assert found == []
