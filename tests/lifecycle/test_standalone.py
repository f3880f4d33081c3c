"""The story on the suite in one process, with the in-process bus."""

from __future__ import annotations

from pathlib import Path

import pytest
from indigo_testing.story import LifeCycleStory


class TestStandalone(LifeCycleStory):
    @pytest.fixture
    def store(self, suite) -> Path:
        return suite.data.repository
