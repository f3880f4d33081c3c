from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from indigo_suite.researcher import Researcher

ROOT = Path(__file__).parents[2]


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def researcher(suite, http: httpx.AsyncClient) -> Researcher:
    """A researcher on the module's deployment, the fixture ``suite``."""
    return Researcher(http, suite.endpoints, suite.token())


@pytest.fixture
def store(suite) -> Path:
    """The repository's OCFL store."""
    return suite.data.repository


@pytest.fixture
def example() -> Path:
    return ROOT / "examples" / "penguins"
