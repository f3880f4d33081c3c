"""How a mount of a OneData space is configured."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import AnyHttpUrl, Field, model_validator

from indigo_qos_gateway.adapters.http.credentials import HeaderAuth
from indigo_qos_gateway.adapters.http.remote import Remote
from indigo_qos_gateway.adapters.onedata.api import OneData
from indigo_qos_gateway.adapters.onedata.backend import OneDataBackend, Wanted
from indigo_qos_gateway.adapters.options import ClassOptions, SlowOptions


class RequirementClass(ClassOptions):
    """Replicas on storages that fulfil an expression, such as ``country=ES & type=disk``."""

    expression: str = Field(min_length=1)
    replicas: int = Field(default=1, ge=1)


class OneDataOptions(SlowOptions):
    """``space`` is the space's name in paths of CDMI. Files no class was asked for are at ``landing_class``."""

    type: Literal["onedata"]
    provider_url: AnyHttpUrl
    space: str = Field(min_length=1)
    space_id: str = Field(pattern=r"^[0-9A-Za-z]+$")
    token_file: Path
    landing_class: str
    classes: dict[str, RequirementClass]

    @model_validator(mode="after")
    def _classes_can_be_told_apart(self) -> Self:
        if self.landing_class in self.classes:
            raise ValueError("landing_class stands for no requirement, so it is none of the classes")
        if len({(each.expression, each.replicas) for each in self.classes.values()}) != len(self.classes):
            raise ValueError("two classes have the same requirement")
        return self

    def backend(self) -> OneDataBackend:
        remote = Remote(self.name, auth=HeaderAuth(self.token_file, "x-auth-token", ""))
        api = OneData(remote, str(self.provider_url), self.space, self.space_id)
        offered = {
            name: Wanted(each.expression, each.replicas, each.attributes()) for name, each in self.classes.items()
        }
        return OneDataBackend(
            self.name, api, offered, self.landing_class, self.place(), again_seconds=self.look_seconds
        )
