"""The five services as data: how each is configured, built and what it receives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import indigo_dmp.bootstrap
import indigo_dmp.settings
import indigo_integrity.bootstrap
import indigo_integrity.settings
import indigo_pid.bootstrap
import indigo_pid.settings
import indigo_qos_gateway.bootstrap
import indigo_qos_gateway.settings
import indigo_repository.bootstrap
import indigo_repository.settings
from indigo_contracts.envelope import Fact
from indigo_contracts.registry import FACTS
from indigo_kernel.runtime import Runtime
from indigo_kernel.settings import ServiceSettings, example_settings


@dataclass(frozen=True, slots=True)
class Kind:
    """One service: its settings class and its composition root."""

    settings: type[ServiceSettings]
    build: Callable[..., Runtime]

    def example(self) -> Runtime:
        """The service out of example settings: nothing is connected."""
        return _example(self)

    def receives(self) -> list[type[Fact]]:
        """The facts its subscriptions want."""
        wanted = {key for each in self.example().subscriptions for key in each.routing_keys}
        return [fact for name, fact in FACTS.items() if name in wanted]


@cache
def _example(kind: Kind) -> Runtime:
    return kind.build(example_settings(kind.settings))


SERVICE_KINDS: dict[str, Kind] = {
    "dmp": Kind(indigo_dmp.settings.Settings, indigo_dmp.bootstrap.build),
    "repository": Kind(indigo_repository.settings.Settings, indigo_repository.bootstrap.build),
    "pid": Kind(indigo_pid.settings.Settings, indigo_pid.bootstrap.build),
    "integrity": Kind(indigo_integrity.settings.Settings, indigo_integrity.bootstrap.build),
    "qos-gateway": Kind(indigo_qos_gateway.settings.Settings, indigo_qos_gateway.bootstrap.build),
}
