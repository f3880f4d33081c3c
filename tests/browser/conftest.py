from __future__ import annotations

from collections.abc import Iterator

import pytest
from indigo_testing.browser import INSTALL, Browser, browser, chromium


@pytest.fixture(scope="module")
def tab(tmp_path_factory) -> Iterator[Browser]:
    """A headless browser."""
    executable = chromium()
    if executable is None:
        pytest.skip(f"there is no Chromium; {INSTALL} brings one")
    with browser(executable, tmp_path_factory.mktemp("browser")) as running:
        yield running
