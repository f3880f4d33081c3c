"""The story on the suite in one process, with the in-process bus and the embedded PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from indigo_testing.deployments import Standalone, free_block, standalone
from indigo_testing.story import LifeCycleStory


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> Iterator[Standalone]:
    with standalone(tmp_path_factory.mktemp("suite"), free_block()) as running:
        yield running


class TestStandalone(LifeCycleStory):
    pass
