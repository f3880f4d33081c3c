"""Why an object is, or would be, at a class: the decision with everything that went into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from indigo_qos_gateway.application.choosing import effective, inherited
from indigo_qos_gateway.application.objects import Gateway
from indigo_qos_gateway.domain.batch import latency
from indigo_qos_gateway.domain.choice import Candidate, Choice, Source, by_expression
from indigo_qos_gateway.domain.expressions import Expression
from indigo_qos_gateway.domain.paths import parent
from indigo_qos_gateway.domain.rules import Lifetime
from indigo_qos_gateway.domain.wishes import Wishes, read_wishes

_TERABYTE = 1e12


@dataclass(frozen=True, slots=True)
class Considered:
    """One class and how it stands to what is wished."""

    candidate: Candidate
    permitted: bool
    unfulfilled: Sequence[str]
    fulfils_expression: bool | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """``seconds`` until the bytes are at the class; absent when the classes do not say how fast they are.

    ``cost`` is for a month. The back-ends are those of the current and of the chosen class.
    """

    current_class: str | None
    current_backend: str | None
    choice: Choice
    backend: str | None
    considered: Sequence[Considered]
    lifetime: Lifetime | None
    expires_at: datetime | None
    size: int
    cost: float | None
    seconds: float | None


async def explain(
    gateway: Gateway, path: str, groups: frozenset[str], expression: Expression | None, size: int | None
) -> Explanation:
    """What would be chosen now for what is, or would be, at ``path``.

    Raises ``BadRequest`` or ``Forbidden`` when nothing can be.
    """
    mount, chooser = gateway.mounts.at(path), gateway.chooser
    status = await gateway.exists(path)
    default = status.storage_class if status else await gateway.default_class(parent(path))
    bytes_there = size if size is not None else status.size if status else 0
    async with gateway.work() as work:
        known = await inherited(work, [path])
        now = work.now
    stored = known.get(path)
    wishes = read_wishes(effective(path, known))
    candidates = chooser.candidates(mount)
    if expression is not None:
        found = by_expression(candidates, expression)
        choice = Choice(found.name, Source.EXPRESSION, f"the cheapest class with {expression}")
    else:
        choice = chooser.choose(
            path,
            bytes_there,
            wishes,
            default,
            now,
            created=stored.created_at if stored else now,
            groups=frozenset(stored.groups) if stored else groups,
        )
    chosen = next((each for each in candidates if each.name == choice.storage_class), None)
    lifetime = chooser.lifetime(chosen.storage_class if chosen else None, wishes)
    since = stored.association_time if stored and status and status.storage_class == choice.storage_class else now
    here = next((each for each in candidates if status and each.name == status.storage_class), None)
    return Explanation(
        current_class=status.storage_class if status else None,
        current_backend=here.backend if here else None,
        choice=choice,
        backend=chosen.backend if chosen else None,
        considered=[_considered(each, wishes, expression) for each in candidates],
        lifetime=lifetime,
        expires_at=lifetime.duration.after(since) if lifetime else None,
        size=bytes_there,
        cost=None if chosen is None or chosen.price is None else chosen.price * bytes_there / _TERABYTE,
        seconds=_seconds(here, chosen, bytes_there),
    )


def _considered(candidate: Candidate, wishes: Wishes, expression: Expression | None) -> Considered:
    wanted = expression or wishes.expression
    return Considered(
        candidate,
        permitted=wishes.permits(candidate.storage_class),
        unfulfilled=wishes.unfulfilled(candidate.storage_class),
        fulfils_expression=None if wanted is None else wanted.holds(candidate.attributes),
    )


def _seconds(here: Candidate | None, chosen: Candidate | None, size: int) -> float | None:
    """Nothing moves when it is there already; else the first byte has to come, and then the others.

    Between back-ends both ends count: the slower one sets the pace.
    """
    if chosen is None or (here is not None and here.name == chosen.name):
        return 0.0 if chosen is not None else None
    first = latency((here or chosen).storage_class) / 1000
    ends = [chosen] if here is None or here.backend == chosen.backend else [here, chosen]
    speeds = [speed for each in ends if (speed := _throughput(each)) is not None]
    if first == float("inf") or (size and len(speeds) < len(ends)):
        return None
    return first + (size / min(speeds) if size else 0.0)


def _throughput(candidate: Candidate) -> float | None:
    """Bytes a second; ``None`` when the class does not say."""
    speed = candidate.storage_class.metadata.get("cdmi_throughput")
    try:
        return float(speed) if isinstance(speed, str) and float(speed) > 0 else None
    except ValueError:
        return None
