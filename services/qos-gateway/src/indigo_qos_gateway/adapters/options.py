"""What every mount says about itself in the file of mounts."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from indigo_qos_gateway.adapters.classes import Place
from indigo_qos_gateway.domain.storage import Attribute


class MemberOptions(BaseModel):
    """Whom a mount belongs to: everybody of an OIDC issuer, or those of its people in one of ``groups``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Annotated[str, StringConstraints(min_length=1)]
    groups: frozenset[Annotated[str, StringConstraints(pattern=r"^/[^/]")]] = frozenset()


class MountOptions(BaseModel):
    """``prefix`` is where it is in the tree: the root, or one name below it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prefix: Annotated[str, StringConstraints(pattern=r"^/[^/]*$")]
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    site: str | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    members: MemberOptions | None = None

    def place(self) -> Place:
        return Place(self.site, self.country)


class SlowOptions(MountOptions):
    """A mount of a system that takes its time: how long to wait between looks at what was asked of it."""

    look_seconds: float = Field(default=5.0, gt=0)


class ClassOptions(BaseModel):
    """What is known of a class an operator names: told as CDMI data system metadata (CDMI 1.1.1, clause 16.4)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency_ms: int | None = Field(default=None, ge=0, description="to the first byte")
    throughput: int | None = Field(default=None, ge=1, description="bytes a second")
    redundancy: int | None = Field(default=None, ge=1, description="copies")

    def attributes(self) -> dict[str, Attribute]:
        known = {
            "cdmi_latency": self.latency_ms,
            "cdmi_throughput": self.throughput,
            "cdmi_data_redundancy": self.redundancy,
        }
        return {name: str(value) for name, value in known.items() if value is not None}
