"""Where a request goes that an identifier offers more than one place to."""

from __future__ import annotations

from collections.abc import Sequence

from indigo_pid.domain.handle_values import LOCATIONS, first_text
from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.locations import read_locations


def place_for(identifier: Identifier, wanted: Sequence[str]) -> str | None:
    """The target, or the place of a 10320/LOC value that fits ``wanted`` (``name:value``); ``None`` for none."""
    locations = None if identifier.values is None else first_text(identifier.values, LOCATIONS)
    if locations is None:
        return identifier.target
    pairs = [one.partition(":") for one in wanted]
    asked = {name: value for name, colon, value in pairs if colon}
    return read_locations(locations).choose(asked, asked.get("country"))
