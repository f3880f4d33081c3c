"""What the checks look at: the files git knows."""

import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root(pytestconfig) -> Path:
    return pytestconfig.rootpath


@pytest.fixture(scope="session")
def tracked(root) -> list[Path]:
    """Every tracked text file that is there, as a path from the root."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={root}", "grep", "--cached", "-Il", ""],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(line) for line in listed.stdout.splitlines() if (root / line).is_file()]
