"""How a mount of HPSS is configured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import StringConstraints

from indigo_qos_gateway.adapters.classes import TAPE_IS_KEPT
from indigo_qos_gateway.adapters.commands import Commands
from indigo_qos_gateway.adapters.hpss.hsi import Hsi
from indigo_qos_gateway.adapters.hpss.manager import HpssManager
from indigo_qos_gateway.adapters.hsm.backend import HsmBackend
from indigo_qos_gateway.adapters.hsm.files import RemoteFiles
from indigo_qos_gateway.adapters.options import SlowOptions


class HpssOptions(SlowOptions):
    """``base`` is the directory of HPSS that is mounted, ``programs`` where hsi is, with its own credentials."""

    type: Literal["hpss"]
    base: Annotated[str, StringConstraints(pattern=r"^(/[^/]+)+$")]
    programs: Path = Path("/usr/local/bin")

    def backend(self) -> HsmBackend:
        hsi = Hsi(Commands(self.name, self.programs), self.base)
        return HsmBackend(
            self.name,
            "HPSS",
            RemoteFiles(hsi),
            HpssManager(hsi),
            TAPE_IS_KEPT,
            self.place(),
            again_seconds=self.look_seconds,
        )
