"""What a killed run leaves behind is ended by a later one."""

import os
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from indigo_dev.postgres import EmbeddedPostgres
from indigo_testing.directories import ABANDONED_AFTER_SECONDS, server_directory


@pytest.fixture
def temporary(monkeypatch):
    """The directory for temporary files. Its name is short: paths of sockets have at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="indigo-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield directory


def left_behind(directory, *, seconds_ago):
    """A server whose run ended without stopping it."""
    server = EmbeddedPostgres(directory, durable=False)
    server.start()
    pid = server.pid
    server.detach()
    then = time.time() - seconds_ago
    os.utime(directory, (then, then))
    return pid


def test_an_old_directory_nobody_owns_is_emptied_and_its_server_ended(temporary):
    abandoned = temporary / "indigo-test-postgres-old"
    pid = left_behind(abandoned, seconds_ago=ABANDONED_AFTER_SECONDS + 60)
    with server_directory("postgres", EmbeddedPostgres) as directory:
        assert directory.is_dir()
        assert not abandoned.exists()
        assert not psutil.pid_exists(pid)
    assert list(temporary.iterdir()) == []


def test_a_young_or_owned_directory_is_left_alone(temporary):
    young = temporary / "indigo-test-postgres-young"
    young.mkdir()
    owned = temporary / "indigo-test-postgres-owned"
    with EmbeddedPostgres(owned, durable=False) as server:
        os.utime(owned, (0, 0))
        with server_directory("postgres", EmbeddedPostgres):
            assert young.exists()
            assert owned.exists()
            assert server.pid is not None
