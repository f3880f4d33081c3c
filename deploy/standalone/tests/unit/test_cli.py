"""What the command says when it cannot."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from indigo_suite.cli import app
from indigo_suite.layout import DataDirectory
from typer.testing import CliRunner


@pytest.mark.parametrize("command", ["token", "events"])
def test_without_a_suite_it_says_how_to_start_one(command: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [command, "--data-dir", str(tmp_path)])
    assert done.exit_code == 1
    assert "indigo up --data-dir" in done.stderr.replace("\n", " ")


def test_a_port_that_is_taken_is_told_before_anything_starts(tmp_path: Path, free_port) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(app, ["up", "--data-dir", str(tmp_path), "--port", str(port)])
    assert done.exit_code == 1
    assert "is taken. Choose others with --port." in done.stderr.replace("\n", " ")


def test_secrets_stay_the_same_and_to_themselves(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    first = data.secret("a")
    assert DataDirectory(tmp_path).secret("a") == first != data.secret("b")
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0
