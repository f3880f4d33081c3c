"""``indigo up`` as people run it: until Ctrl-C, and nothing is said after that which nobody can read."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import pytest
from indigo_testing.deployments import free_block


@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGTERM])
def test_it_is_ready_and_ends_well(ends: signal.Signals) -> None:
    with tempfile.TemporaryDirectory(prefix="indigo-up-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as somebody else when this runs as root
        command = [sys.executable, "-m", "indigo_suite.cli", "up", "--data-dir", f"{folder}/data"]
        command += ["--port", str(free_block())]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "COLUMNS": "200"},
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            try:
                told = ""
                while not (ready := re.search(r"ready in [0-9.]+ s at (http://\S+)", told)):
                    line = process.stdout.readline()
                    assert line, told
                    told += line
                for service in ("dmp", "repository", "pid", "integrity", "qos"):
                    assert httpx.get(f"{ready[1]}/{service}/readyz", trust_env=False).status_code == 200
            finally:
                process.send_signal(ends)
                rest, _ = process.communicate(timeout=60)
        assert (process.returncode, rest.strip()) == (0, "stopping")
