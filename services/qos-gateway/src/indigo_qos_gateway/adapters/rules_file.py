"""Reads the operator's rules from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from indigo_kernel.problems import DomainError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from indigo_qos_gateway.domain.duration import Duration
from indigo_qos_gateway.domain.expressions import Attributes, parse_expression
from indigo_qos_gateway.domain.paths import parse_text
from indigo_qos_gateway.domain.rules import Lifetime, Policy, PolicyState, Rule, Rules
from indigo_qos_gateway.domain.wishes import parse_action


def _words(value: object) -> object:
    """Attributes are text or lists of text; numbers may be written as such."""
    values = value if isinstance(value, list) else [value]
    return [str(each) if isinstance(each, int | float) and not isinstance(each, bool) else each for each in values]


Words = Annotated[list[str], BeforeValidator(_words)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Class(_Model):
    price: float | None = Field(default=None, ge=0)
    attributes: dict[str, Words] = Field(default_factory=dict)


class _Storage(_Model):
    network: str | None = None
    attributes: dict[str, Words] = Field(default_factory=dict)
    classes: dict[str, _Class] = Field(default_factory=dict)
    takers: list[str] = Field(default_factory=list)


class _Lifetime(_Model):
    duration: str
    action: str

    def domain(self) -> Lifetime:
        return Lifetime(Duration.parse(self.duration), parse_action(self.action))


class _State(_Model):
    storage_class: str = Field(alias="class")
    duration: str | None = None


class _Policy(_Model):
    states: list[_State] = Field(min_length=1)

    @model_validator(mode="after")
    def _only_the_last_is_endless(self) -> Self:
        if any(state.duration is None for state in self.states[:-1]) or self.states[-1].duration is not None:
            raise ValueError("every state but the last one has a duration")
        return self


class _Rule(_Model):
    name: str
    storage_class: str | None = Field(default=None, alias="class")
    policy: str | None = None
    where: str | None = None
    path: str | None = None
    group: str | None = None
    site: str | None = None
    network: str | None = None
    storage_type: str | None = None
    min_size: int | None = Field(default=None, ge=0)
    max_size: int | None = Field(default=None, ge=0)
    min_age: str | None = None
    max_age: str | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if sum(each is not None for each in (self.storage_class, self.policy, self.where)) != 1:
            raise ValueError(f"rule {self.name} needs one of class, policy and where")
        return self

    def domain(self) -> Rule:
        storage = {"site": self.site, "network": self.network, "storage_type": self.storage_type}
        return Rule(
            name=self.name,
            storage_class=self.storage_class,
            policy=self.policy,
            where=parse_expression(self.where) if self.where else None,
            path=parse_text(self.path) if self.path else None,
            group=self.group,
            storage={key: value for key, value in storage.items() if value is not None},
            min_size=self.min_size,
            max_size=self.max_size,
            min_age=Duration.parse(self.min_age) if self.min_age else None,
            max_age=Duration.parse(self.max_age) if self.max_age else None,
        )


class _File(_Model):
    currency: str = "EUR"
    storage: dict[str, _Storage] = Field(default_factory=dict)
    lifetime: dict[str, _Lifetime] = Field(default_factory=dict)
    policy: dict[str, _Policy] = Field(default_factory=dict)
    rule: list[_Rule] = Field(default_factory=list)

    def domain(self) -> Rules:
        policies = {
            name: Policy(
                name,
                tuple(
                    PolicyState(each.storage_class, Duration.parse(each.duration) if each.duration else None)
                    for each in policy.states
                ),
            )
            for name, policy in self.policy.items()
        }
        unknown = [rule.policy for rule in self.rule if rule.policy is not None and rule.policy not in policies]
        if unknown:
            raise ValueError(f"there is no policy {unknown[0]}")
        return Rules(
            rules=tuple(rule.domain() for rule in self.rule),
            policies=policies,
            lifetimes={name: each.domain() for name, each in self.lifetime.items()},
            attributes={name: _attributes(each) for name, each in self.storage.items()},
            prices={
                name: {key: one.price for key, one in each.classes.items() if one.price is not None}
                for name, each in self.storage.items()
            },
            currency=self.currency,
            takers={name: tuple(each.takers) for name, each in self.storage.items() if each.takers},
        )


def read_rules(path: Path | None) -> Rules:
    """The rules in a file; none without one. Raises ``ValueError`` that says what is wrong with which file."""
    if path is None:
        return Rules()
    try:
        with path.open("rb") as file:
            return _File.model_validate(tomllib.load(file)).domain()
    except (OSError, ValueError, DomainError) as error:
        raise ValueError(f"the rules in {path} cannot be used: {error}") from error


def _attributes(storage: _Storage) -> Mapping[str, Attributes]:
    everywhere = {name.lower(): frozenset(words) for name, words in storage.attributes.items()}
    if storage.network is not None:
        everywhere["network"] = frozenset({storage.network})
    classes = {
        name: {key.lower(): frozenset(words) for key, words in each.attributes.items()}
        for name, each in storage.classes.items()
    }
    return {"": everywhere, **classes}
