"""The catalogue: every fact of the suite by its name."""

from __future__ import annotations

from types import ModuleType

from indigo_contracts import dmp, integrity, pid, qos, repository
from indigo_contracts.envelope import TYPE_PREFIX, Fact

_ROOMS: dict[str, ModuleType] = {
    "dmp": dmp,
    "repository": repository,
    "pid": pid,
    "integrity": integrity,
    "qos": qos,
}


def _facts(module: ModuleType) -> list[type[Fact]]:
    return [
        member
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, Fact) and "fact" in vars(member)
    ]


FACTS: dict[str, type[Fact]] = {model.fact: model for module in _ROOMS.values() for model in _facts(module)}
"""Name without prefix → payload model, for example ``dmp.plan.published.v1`` → ``PlanPublished``."""


def facts_of(service: str) -> list[type[Fact]]:
    """The facts one service states; ``service`` is the first word of their names."""
    return [model for name, model in FACTS.items() if name.split(".", 1)[0] == service]


def model_for(event_type: str) -> type[Fact] | None:
    """The payload model of a CloudEvents ``type``, or None for a type this release does not know."""
    return FACTS.get(event_type.removeprefix(TYPE_PREFIX))
