"""What the suite fixes for its services."""

from __future__ import annotations

from pathlib import Path

from indigo_pid.settings import Settings
from indigo_suite.configuration import settings_of
from indigo_suite.layout import Addresses, DataDirectory


def test_the_resolver_keeps_its_names_in_the_data_directory(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    data.create()
    settings = settings_of("pid", data, Addresses(8000), database_url="postgresql+asyncpg://x/x", amqp_url=None)
    assert isinstance(settings, Settings)
    assert settings.resolver_directory == data.names
    assert data.names.is_dir()
    assert data.names.stat().st_mode & 0o077 == 0
