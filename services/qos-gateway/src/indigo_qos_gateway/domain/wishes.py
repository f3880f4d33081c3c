"""What clients wish of storage in metadata, and which classes fulfil it.

Source: CDMI 1.1.1, clause 16.4 (data system metadata). ``cdmi_geographic_placement`` binds; the others are wishes,
and the class that fulfils most of them is taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from indigo_kernel.problems import BadRequest

from indigo_qos_gateway.domain.duration import Duration
from indigo_qos_gateway.domain.expressions import Expression, ExpressionError, parse_expression
from indigo_qos_gateway.domain.rules import DELETE, MIGRATE, Lifetime
from indigo_qos_gateway.domain.storage import StorageClass

EXPRESSION = "indigo_qos_expression"
POLICY = "indigo_qos_policy"
LIFETIME = "cdmi_capability_lifetime"
ACTION = "cdmi_capability_lifetime_action"
PLACEMENT = "cdmi_geographic_placement"
AT_MOST = ("cdmi_latency", "cdmi_RPO", "cdmi_RTO")
AT_LEAST = (
    "cdmi_data_redundancy",
    "cdmi_immediate_redundancy",
    "cdmi_infrastructure_redundancy",
    "cdmi_data_dispersion",
    "cdmi_throughput",
)
NAMES = frozenset({EXPRESSION, POLICY, LIFETIME, ACTION, PLACEMENT, *AT_MOST, *AT_LEAST})
"""Metadata that say something about storage; containers hand them down to what is in them."""

CHOOSING = NAMES - {LIFETIME, ACTION}
_REGION = re.compile(r"!?(?:\*|[A-Z]{2}(?:-[A-Z0-9]{1,3})?)")


@dataclass(frozen=True, slots=True)
class Wishes:
    """Metadata, read. ``limits`` are name → number; of the ``places`` the first that matches decides."""

    limits: Mapping[str, float]
    places: Sequence[str] | None = None
    expression: Expression | None = None
    policy: str | None = None
    lifetime: Lifetime | None = None

    def permits(self, storage_class: StorageClass) -> bool:
        """Whether the class is where the bytes may be; a class that does not say where is only let in by ``*``."""
        if self.places is None:
            return True
        placed = storage_class.metadata.get(PLACEMENT)
        here = placed if isinstance(placed, list) else [placed] if placed else []
        if not here:
            return "*" in self.places
        return all(self._permits_place(each) for each in here)

    def _permits_place(self, place: str) -> bool:
        for each in self.places or ():
            name = each.removeprefix("!")
            if name in {"*", place} or place.startswith(name + "-"):
                return not each.startswith("!")
        return False

    def unfulfilled(self, storage_class: StorageClass) -> list[str]:
        """The names of wishes the class does not fulfil, as far as it says."""
        missed = []
        for name, limit in self.limits.items():
            value = storage_class.metadata.get(name)
            if (
                not isinstance(value, str)
                or not _is_number(value)
                or ((float(value) > limit) if name in AT_MOST else (float(value) < limit))
            ):
                missed.append(name)
        return missed


def read_wishes(metadata: Mapping[str, Any]) -> Wishes:
    """Raises ``BadRequest`` for a value that cannot be read."""
    limits = {}
    for name in (*AT_MOST, *AT_LEAST):
        value = metadata.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, str | int | float) or not _is_number(str(value)):
            raise _bad(name, "takes a number that is not negative")
        limits[name] = float(value)
    return Wishes(
        limits,
        places=_places(metadata.get(PLACEMENT)),
        expression=_expression(metadata.get(EXPRESSION)),
        policy=_text(POLICY, metadata.get(POLICY)),
        lifetime=read_lifetime(metadata),
    )


def read_lifetime(metadata: Mapping[str, Any]) -> Lifetime | None:
    """How long an object shall stay where it is, and what comes then. Raises ``BadRequest``."""
    duration, action = _text(LIFETIME, metadata.get(LIFETIME)), _text(ACTION, metadata.get(ACTION))
    if duration is None and action is None:
        return None
    if duration is None or action is None:
        raise _bad(LIFETIME if duration is None else ACTION, f"is needed: {LIFETIME} and {ACTION} go together")
    try:
        read = Duration.parse(duration)
    except ValueError as error:
        raise _bad(LIFETIME, str(error)) from None
    try:
        return Lifetime(read, parse_action(action))
    except ValueError as error:
        raise _bad(ACTION, str(error)) from None


def parse_action(text: str) -> str | None:
    """The class of ``migrate-to:<capabilitiesURI>``, ``None`` for ``delete``. Raises ``ValueError``."""
    if text == DELETE:
        return None
    uri = text.removeprefix(MIGRATE).rstrip("/")
    prefix, _, name = uri.rpartition("/")
    if not text.startswith(MIGRATE) or not name or prefix not in {"", "/cdmi_capabilities/dataobject"}:
        raise ValueError("is 'delete' or 'migrate-to:/cdmi_capabilities/dataobject/<class>'")
    return name


def _places(value: Any) -> Sequence[str] | None:
    if value is None:
        return None
    places = [value] if isinstance(value, str) else value
    if not isinstance(places, list) or not places:
        raise _bad(PLACEMENT, "takes a list of places")
    if not all(isinstance(each, str) and _REGION.fullmatch(each) for each in places):
        raise _bad(PLACEMENT, "takes ISO 3166 codes such as ES or ES-CN, '!' before what is excluded, and '*'")
    return places


def _expression(value: Any) -> Expression | None:
    text = _text(EXPRESSION, value)
    if text is None:
        return None
    try:
        return parse_expression(text)
    except ExpressionError as error:
        raise _bad(EXPRESSION, str(error)) from None


def _text(name: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _bad(name, "takes a text")
    return value or None


def _is_number(text: str) -> bool:
    try:
        return 0 <= float(text) < float("inf")
    except ValueError:
        return False


def _bad(name: str, detail: str) -> BadRequest:
    return BadRequest(f"{name}: {detail}", name=name)
