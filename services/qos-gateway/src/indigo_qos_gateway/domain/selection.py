"""Which fields of an object a request asks for: ``?objectName;metadata:x;children:0-2``.

Source: CDMI 1.1.1, clauses 8.3.3, 8.4.3 and 9.3.3. Fields are separated by ``;`` and a field's argument by ``:``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from indigo_kernel.problems import BadRequest

_RANGE = re.compile(r"(\d{1,18})-(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Span:
    """Positions ``first`` to ``last``, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Selection:
    """The fields asked for with their arguments; ``None`` stands for all of them."""

    fields: tuple[tuple[str, str | None], ...] | None

    def wants(self, field: str) -> bool:
        """Whether the answer has ``field``; the ranges ``valuerange`` and ``childrenrange`` are fields too."""
        return self.fields is None or any(name == field for name, _ in self.fields)

    def names(self, field: str) -> bool:
        """Whether ``field`` was asked for by name."""
        return self.fields is not None and self.wants(field)

    def span(self, field: str) -> Span | None:
        """The range asked for in ``field``. Raises ``BadRequest`` for what is no range, or more than one."""
        spans = self.spans(field)
        if len(spans) > 1:
            raise BadRequest(f"Only one range of {field} can be answered at once")
        return spans[0] if spans else None

    def spans(self, field: str) -> list[Span]:
        """The ranges asked for in ``field``. Raises ``BadRequest`` for what is no range."""
        found = []
        for name, argument in self.fields or ():
            if name == field and argument is not None:
                match = _RANGE.fullmatch(argument)
                if not match or int(match[1]) > int(match[2]):
                    raise BadRequest(f"{field} takes a range such as {field}:0-10")
                found.append(Span(int(match[1]), int(match[2])))
        return found

    def metadata(self) -> tuple[str, ...] | None:
        """Names or beginnings of names of metadata asked for; ``None`` for all."""
        asked = [argument for name, argument in self.fields or () if name == "metadata"]
        if not asked or None in asked:
            return None
        return tuple(argument for argument in asked if argument is not None)


def parse_selection(query: bytes) -> Selection:
    """Read a raw query string. Escapes are decoded after splitting.

    Raises ``BadRequest`` for an empty field and for what is not UTF-8.
    """
    if not query:
        return Selection(None)
    fields = []
    for token in query.removesuffix(b";").split(b";"):
        try:
            name, colon, argument = unquote_to_bytes(token).decode().partition(":")
        except UnicodeDecodeError:
            raise BadRequest("The query is not UTF-8") from None
        if not name:
            raise BadRequest("The query has an empty field name; fields are separated by ';'")
        fields.append((name, argument if colon else None))
    return Selection(tuple(fields))
