"""Which storage class an object should be at, and why: one decision for new objects, timers and questions.

In this order: an expression in the metadata of the object or its containers, a policy named there, wishes there,
the operator's rules, the class of the container. What a request asks for itself comes before all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from indigo_kernel.problems import BadRequest, Forbidden

from indigo_qos_gateway.domain.batch import copies, latency
from indigo_qos_gateway.domain.expressions import Attributes, Expression
from indigo_qos_gateway.domain.rules import Facts, Rules
from indigo_qos_gateway.domain.storage import StorageClass
from indigo_qos_gateway.domain.wishes import Wishes


class Source(StrEnum):
    """What decided."""

    EXPRESSION = "expression"
    WISHES = "wishes"
    POLICY = "policy"
    RULE = "rule"
    CONTAINER = "container"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One class there is to choose, and its back-end. ``price`` is for a terabyte and a month, if one is known."""

    storage_class: StorageClass
    attributes: Attributes
    price: float | None
    backend: str

    @property
    def name(self) -> str:
        return self.storage_class.name

    @property
    def thrift(self) -> tuple[float, float, float, str]:
        """What is cheaper comes first: by price, else by copies, then by how long one waits for it."""
        known = self.price if self.price is not None else float("inf")
        return known, copies(self.storage_class), -latency(self.storage_class), self.name


@dataclass(frozen=True, slots=True)
class Choice:
    """``changes_at``: when the answer may be another one, because time goes by."""

    storage_class: str
    source: Source
    reason: str
    changes_at: datetime | None = None


def choose(
    candidates: Sequence[Candidate], wishes: Wishes, rules: Rules, facts: Facts, container: str, now: datetime
) -> Choice:
    """Raises ``BadRequest`` for an expression nothing fulfils or an unknown policy, ``Forbidden`` when no class is
    where the bytes may be.
    """
    allowed = [each for each in candidates if wishes.permits(each.storage_class)]
    if not allowed:
        raise Forbidden("No class here keeps its bytes where cdmi_geographic_placement permits")
    if wishes.expression is not None:
        found = by_expression(allowed, wishes.expression)
        return Choice(found.name, Source.EXPRESSION, f"the cheapest class with {wishes.expression}")
    if wishes.policy is not None:
        return _by_policy(rules, wishes.policy, facts, now, Source.POLICY)
    if wishes.limits or wishes.places is not None:
        return _by_wishes(allowed, wishes)
    for position, rule in enumerate(rules.rules):
        if not rule.holds(facts, now):
            continue
        ahead = [at for each in rules.rules[: position + 1] for at in each.changes(facts) if at > now]
        at = min(ahead, default=None)
        if rule.policy is not None:
            chosen = _by_policy(rules, rule.policy, facts, now, Source.RULE)
            ends = [each for each in (at, chosen.changes_at) if each is not None]
            return Choice(
                chosen.storage_class, Source.RULE, f"rule {rule.name}: {chosen.reason}", min(ends, default=None)
            )
        if rule.where is not None:
            found = by_expression(candidates, rule.where)
            return Choice(found.name, Source.RULE, f"rule {rule.name}: the cheapest class with {rule.where}", at)
        assert rule.storage_class is not None
        return Choice(rule.storage_class, Source.RULE, f"rule {rule.name}", at)
    ahead = [at for each in rules.rules for at in each.changes(facts) if at > now]
    return Choice(container, Source.CONTAINER, "the class of its container", min(ahead, default=None))


def by_expression(candidates: Sequence[Candidate], expression: Expression) -> Candidate:
    """The cheapest class that fulfils it. Raises ``BadRequest`` when none does."""
    fitting = [each for each in candidates if expression.holds(each.attributes)]
    if not fitting:
        raise BadRequest(f"No class here fulfils {expression}", classes=[each.name for each in candidates])
    return min(fitting, key=lambda each: each.thrift)


def _by_wishes(allowed: Sequence[Candidate], wishes: Wishes) -> Choice:
    """As many wishes as can be fulfilled, and of the classes that do so the cheapest."""
    best = min(allowed, key=lambda each: (len(wishes.unfulfilled(each.storage_class)), each.thrift))
    missed = wishes.unfulfilled(best.storage_class)
    reason = "the cheapest class that fulfils what the metadata wish"
    return Choice(best.name, Source.WISHES, f"{reason}, but for {', '.join(missed)}" if missed else reason)


def _by_policy(rules: Rules, name: str, facts: Facts, now: datetime, source: Source) -> Choice:
    policy = rules.policies.get(name)
    if policy is None:
        raise BadRequest(f"There is no policy {name[:100]}", policies=sorted(rules.policies))
    state, end = policy.at(facts.created, now)
    return Choice(state.storage_class, source, f"policy {name}, made {facts.created.isoformat()}", end)
