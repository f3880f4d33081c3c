"""Several places for one handle: the type 10320/LOC, and how one of them is chosen.

Source: "10320/LOC" handle type (Handle.Net), ``<locations chooseby="locatt,country,weighted">`` with
``<location href="…" weight="…" country="…"/>``: the methods are applied in their order until one place is left.
"""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from indigo_pid.domain.handle_values import InvalidValue

MAX_PLACES = 100
_METHODS = ("locatt", "country", "weighted")


@dataclass(frozen=True, slots=True)
class Place:
    """One location. ``weight`` 0: only when it is asked for."""

    href: str
    attributes: Mapping[str, str]
    weight: float


@dataclass(frozen=True, slots=True)
class Locations:
    """The places of a handle and the methods to choose by."""

    choose_by: tuple[str, ...]
    places: tuple[Place, ...]

    def choose(
        self, asked: Mapping[str, str], country: str | None, pick: Callable[[float], float] | None = None
    ) -> str:
        """The URL to go to. ``asked`` are attributes a place must have (``locatt``), ``country`` is the caller's.

        ``pick`` gives a number below its argument, at random by default.
        """
        left: Sequence[Place] = self.places
        for method in self.choose_by:
            if method == "locatt" and asked:
                left = [one for one in left if _has(one, asked)] or left
            elif method == "country" and country is not None:
                near = [one for one in left if one.attributes.get("country", "").lower() == country.lower()]
                left = near or [one for one in left if "country" not in one.attributes] or left
            elif method == "weighted":
                left = [_weighted(left, pick or _random)]
            if len(left) == 1:
                break
        return left[0].href


def read_locations(text: str) -> Locations:
    """Read the XML of a 10320/LOC value. Raises ``InvalidValue``."""
    if "<!" in text or "<?" in text.lstrip()[5:]:
        raise InvalidValue("Locations are XML without declarations of their own")
    try:
        root = ET.fromstring(text)  # noqa: S314 - doctypes and entities are refused above
    except (ET.ParseError, ValueError) as error:
        raise InvalidValue(f"Locations are XML: {error}") from error
    places = tuple(_place(one) for one in root.findall("location"))
    if root.tag != "locations" or not 0 < len(places) <= MAX_PLACES:
        raise InvalidValue(f"<locations> has 1 to {MAX_PLACES} <location>")
    methods = [one.strip() for one in root.get("chooseby", ",".join(_METHODS)).split(",")]
    return Locations(tuple(one for one in methods if one in _METHODS), places)


def _place(element: ET.Element) -> Place:
    href = element.get("href")
    if not href:
        raise InvalidValue("Each <location> has an href")
    try:
        weight = float(element.get("weight", "1"))
    except ValueError:
        weight = -1.0
    if not 0 <= weight <= 1_000_000:
        raise InvalidValue("A weight is a number from 0")
    return Place(href, dict(element.attrib), weight)


def _has(place: Place, asked: Mapping[str, str]) -> bool:
    return all(place.attributes.get(name) == value for name, value in asked.items())


def _weighted(places: Sequence[Place], pick: Callable[[float], float]) -> Place:
    total = sum(one.weight for one in places)
    if total <= 0:
        return places[0]
    at = pick(total)
    for one in places:
        if at < one.weight:
            return one
        at -= one.weight
    return places[-1]


def _random(below: float) -> float:
    return random.random() * below  # noqa: S311 - spreads load, protects nothing
