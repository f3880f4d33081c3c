"""From the command to the ready line: on a new data directory, and on one that has been used."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from indigo_dev.processes import free_port


def seconds(data: Path, port: int) -> float:
    """Start ``indigo up``, read how long it says it took, and stop it."""
    command = [sys.executable, "-m", "indigo_suite.cli", "up", "--data-dir", str(data), "--port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"}
    ) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                if match := re.search(r"ready in ([0-9.]+) s", line):
                    return float(match[1])
            raise RuntimeError("indigo up ended without a ready line")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def run() -> list[tuple[str, str]]:
    with tempfile.TemporaryDirectory(prefix="indigo-bench-") as folder:
        Path(folder).chmod(0o755)
        port = free_port(6)
        cold = seconds(Path(folder) / "data", port)
        warm = min(seconds(Path(folder) / "data", port) for _ in range(3))
    return [
        ("indigo up, new data directory", f"{cold:.1f} s"),
        ("indigo up, used data directory", f"{warm:.1f} s"),
    ]


if __name__ == "__main__":
    for name, figure in run():
        print(f"{name:<40} {figure}")
