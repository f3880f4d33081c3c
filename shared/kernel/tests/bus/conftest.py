from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
import sqlalchemy as sa
from indigo_kernel.clock import ManualClock
from indigo_kernel.db.engine import create_engine
from indigo_kernel.db.tables import NAMING, kernel_tables
from indigo_kernel.db.uow import Database
from indigo_testing.databases import DatabaseMaker


@pytest_asyncio.fixture
async def database(make_database: DatabaseMaker) -> AsyncIterator[Database]:
    """A fresh database with the kernel's tables."""
    engine = create_engine(await make_database("bus"), application="test")
    metadata = sa.MetaData(naming_convention=NAMING)
    kernel_tables(metadata)
    async with engine.begin() as conn:
        await conn.run_sync(metadata.create_all)
    yield Database(engine, ManualClock(), "https://dmp.example.org")
    await engine.dispose()
