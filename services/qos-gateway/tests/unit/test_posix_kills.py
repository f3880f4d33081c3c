"""A process killed at any file operation leaves the object readable, at its old or its new class."""

import json
import subprocess
import sys
from pathlib import Path


def test_no_kill_loses_bytes_or_leaves_anything_behind(tmp_path):
    program = Path(__file__).with_name("posix_killer.py")
    ran = subprocess.run(
        [sys.executable, program, tmp_path / "storage"], capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert report["failures"] == []
    assert len(report["points"]) == 12
    assert min(report["points"].values()) > 8
