"""What an operator says about storage: prices, attributes, times in classes, policies, and rules that choose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from indigo_qos_gateway.domain.duration import Duration
from indigo_qos_gateway.domain.expressions import Attributes, Expression
from indigo_qos_gateway.domain.paths import below

DELETE = "delete"
MIGRATE = "migrate-to:"


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long an object stays in a class, and what happens then: ``delete``, or the class it goes to.

    INDIGO's ``cdmi_capability_lifetime`` and ``cdmi_capability_lifetime_action``.
    """

    duration: Duration
    migrate_to: str | None

    @property
    def action(self) -> str:
        return DELETE if self.migrate_to is None else f"{MIGRATE}/cdmi_capabilities/dataobject/{self.migrate_to}"


@dataclass(frozen=True, slots=True)
class PolicyState:
    """One state of a policy; the last one has no end."""

    storage_class: str
    duration: Duration | None


@dataclass(frozen=True, slots=True)
class Policy:
    """Classes one after another as an object grows older, as dCache's QoS policies have them."""

    name: str
    states: Sequence[PolicyState]

    def at(self, created: datetime, now: datetime) -> tuple[PolicyState, datetime | None]:
        """The state of an object made at ``created``, and when that ends."""
        begin = created
        for state in self.states:
            end = state.duration.after(begin) if state.duration else None
            if end is None or now < end:
                return state, end
            begin = end
        raise AssertionError("the last state has no end")


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules look at: the object, who stored it, and the storage it is in."""

    path: str
    size: int
    created: datetime
    groups: frozenset[str]
    storage: Attributes


@dataclass(frozen=True, slots=True)
class Rule:
    """When every condition holds: a class, a policy, or an expression that finds a class. Absent ones hold."""

    name: str
    storage_class: str | None = None
    policy: str | None = None
    where: Expression | None = None
    path: str | None = None
    group: str | None = None
    storage: Mapping[str, str] = field(default_factory=dict)
    min_size: int | None = None
    max_size: int | None = None
    min_age: Duration | None = None
    max_age: Duration | None = None

    def holds(self, facts: Facts, now: datetime) -> bool:
        return (
            (self.path is None or below(facts.path, self.path))
            and (self.group is None or self.group in facts.groups)
            and all(
                value.casefold() in {each.casefold() for each in facts.storage.get(key, frozenset())}
                for key, value in self.storage.items()
            )
            and (self.min_size is None or facts.size >= self.min_size)
            and (self.max_size is None or facts.size <= self.max_size)
            and all(now >= begin for begin in self._begins(facts))
            and all(now < end for end in self._ends(facts))
        )

    def changes(self, facts: Facts) -> Iterator[datetime]:
        """When the answer of ``holds`` may change by itself."""
        yield from self._begins(facts)
        yield from self._ends(facts)

    def _begins(self, facts: Facts) -> Iterator[datetime]:
        if self.min_age is not None:
            yield self.min_age.after(facts.created)

    def _ends(self, facts: Facts) -> Iterator[datetime]:
        if self.max_age is not None:
            yield self.max_age.after(facts.created)


@dataclass(frozen=True, slots=True)
class Rules:
    """The operator's file. ``attributes`` and ``prices`` are by back-end, then by class (``""`` for all of them).

    A price is for a terabyte and a month, in ``currency``. ``takers`` are the back-ends that may take over objects
    of a back-end's part of the tree, in the order in which their classes get their names.
    """

    rules: Sequence[Rule] = ()
    policies: Mapping[str, Policy] = field(default_factory=dict)
    lifetimes: Mapping[str, Lifetime] = field(default_factory=dict)
    attributes: Mapping[str, Mapping[str, Attributes]] = field(default_factory=dict)
    prices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    currency: str = "EUR"
    takers: Mapping[str, Sequence[str]] = field(default_factory=dict)
