"""How a mount of GEMSS and TSM, or of GPFS, is configured."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from indigo_qos_gateway.adapters.commands import Commands
from indigo_qos_gateway.adapters.mounted.backend import MountedBackend
from indigo_qos_gateway.adapters.mounted.gpfs import GpfsManager, Pool
from indigo_qos_gateway.adapters.mounted.tsm import TsmManager
from indigo_qos_gateway.adapters.options import ClassOptions, SlowOptions


class TsmOptions(SlowOptions):
    """``directory`` is below ``file_system``, the mount point TSM knows; ``programs`` is where dsmls is.

    ``look_seconds`` is how long a recall waits for others, to go with them in the order of the tapes.
    """

    type: Literal["gemss-tsm"]
    directory: Path
    file_system: Path
    programs: Path = Path("/usr/bin")

    def backend(self) -> MountedBackend:
        commands = Commands(self.name, self.programs)
        manager = TsmManager(commands, self.file_system, self.place(), together_seconds=self.look_seconds)
        return MountedBackend(self.name, "GEMSS", self.site, self.directory, manager)


class PoolClass(ClassOptions):
    """A storage pool of the file system."""

    pool: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")


class GpfsOptions(SlowOptions):
    """``directory`` is in the file system mmlspool knows as ``file_system``.

    ``look_seconds`` is how long a change waits for others, to go with them in one policy run.
    """

    type: Literal["gpfs"]
    directory: Path
    file_system: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    programs: Path = Path("/usr/lpp/mmfs/bin")
    look_seconds: float = Field(default=1.0, gt=0)
    landing_class: str
    classes: dict[str, PoolClass] = Field(min_length=1)

    @model_validator(mode="after")
    def _objects_land_in_a_class(self) -> Self:
        if self.landing_class not in self.classes:
            raise ValueError("landing_class is one of the classes")
        return self

    def backend(self) -> MountedBackend:
        pools = {name: Pool(each.pool, each.attributes()) for name, each in self.classes.items()}
        commands = Commands(self.name, self.programs)
        manager = GpfsManager(
            commands,
            self.file_system,
            pools,
            self.landing_class,
            self.place(),
            together_seconds=self.look_seconds,
        )
        return MountedBackend(self.name, "GPFS", self.site, self.directory, manager)
