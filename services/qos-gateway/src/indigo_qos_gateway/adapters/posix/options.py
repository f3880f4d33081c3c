"""How a further POSIX back-end is configured."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from indigo_qos_gateway.adapters.options import MountOptions
from indigo_qos_gateway.adapters.posix.backend import PosixBackend


class PosixOptions(MountOptions):
    """``disk`` is the tree of objects, ``tape`` stands for the tape pool; ``concurrency`` files move at a time."""

    type: Literal["posix"]
    disk: Path
    tape: Path
    concurrency: int = Field(default=2, ge=1, le=64)

    def backend(self) -> PosixBackend:
        return PosixBackend(self.name, self.disk, self.tape, self.place(), concurrency=self.concurrency)
