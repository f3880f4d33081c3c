"""Programs of storage managers, as scripts that work on real files and print what the real ones print."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def install(directory: Path, script: str, programs: tuple[str, ...], state: Path) -> None:
    """Make the programs in ``directory``; each runs ``script`` of this package with its own name and ``state``."""
    directory.mkdir(parents=True, exist_ok=True)
    state.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).with_name(script)
    for program in programs:
        path = directory / program
        words = [sys.executable, "-SE", str(source), program, str(state)]
        path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        path.chmod(0o755)
