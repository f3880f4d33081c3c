"""Programs of others that tests talk to, each in an environment of its own: what they need is not what we need."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

_SECONDS = 300


def environment(name: str, *requirements: str) -> Path:
    """The directory ``bin`` of an environment that has ``requirements``, made when it is missing.

    Environments are kept below the user's cache directory. The test is skipped when one cannot be made.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "indigo-tests"
    base.mkdir(parents=True, exist_ok=True)
    directory = base / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    ready = directory / "ready"
    wanted = "\n".join(requirements)
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists() or ready.read_text() != wanted:
            uv = str(Path(sys.executable).parent / "uv")
            commands = (
                [uv, "venv", "-q", "--clear", "--python", sys.executable, str(directory)],
                [uv, "pip", "install", "-q", "--python", str(directory / "bin/python"), *requirements],
            )
            try:
                for command in commands:
                    subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
            except (OSError, subprocess.SubprocessError) as error:
                pytest.skip(f"needs what this installs: {' '.join(commands[1])} ({error})")
            ready.write_text(wanted)
    return directory / "bin"
