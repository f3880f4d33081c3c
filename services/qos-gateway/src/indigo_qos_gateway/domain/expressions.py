r"""Expressions that say which storage classes will do: ``country=ES & type=disk | latency<8``.

The grammar is Onedata's (QoS requirements): ``key = value``, ``key < number`` and its like, ``anyStorage``, the
operators ``&`` (both), ``|`` (either) and ``\`` (the first without the second), of one precedence from left to
right, and parentheses. Attributes may have several values: ``=`` asks for one of them.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Attributes = Mapping[str, frozenset[str]]
"""What is known of a class, by lower-case name; numbers are text."""

ANY = "anyStorage"
_TOKEN = re.compile(r"\s*(<=|>=|[=<>&|\\()]|[\w.\-](?:[\w. \-]*[\w.\-])?)")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MOST_CHARACTERS = 2000
_MOST_DEPTH = 50


class ExpressionError(ValueError):
    """The text is no expression; the message says where."""


@dataclass(frozen=True, slots=True)
class Condition:
    """``key`` compared with ``value``."""

    key: str
    compare: str
    value: str

    def holds(self, attributes: Attributes) -> bool:
        known = attributes.get(self.key.lower(), frozenset())
        if self.compare == "=":
            return self.value.casefold() in {each.casefold() for each in known} or _equal(known, self.value)
        return any(_COMPARE[self.compare](number, float(self.value)) for number in map(_number, known))

    def __str__(self) -> str:
        return f"{self.key}{self.compare}{self.value}"


@dataclass(frozen=True, slots=True)
class Anything:
    def holds(self, attributes: Attributes) -> bool:  # noqa: ARG002 - that is its meaning
        return True

    def __str__(self) -> str:
        return ANY


@dataclass(frozen=True, slots=True)
class Both:
    """``left`` and ``right`` joined by one of the three operators."""

    left: Expression
    join: str
    right: Expression

    def holds(self, attributes: Attributes) -> bool:
        left, right = self.left.holds(attributes), self.right.holds(attributes)
        if self.join == "&":
            return left and right
        return left or right if self.join == "|" else left and not right

    def __str__(self) -> str:
        return f"({self.left} {self.join} {self.right})"


Expression = Condition | Anything | Both


def parse_expression(text: str) -> Expression:
    """Raises ``ExpressionError``."""
    if len(text) > _MOST_CHARACTERS:
        raise ExpressionError(f"an expression has at most {_MOST_CHARACTERS} characters")
    parser = _Parser(text)
    found = parser.expression(0)
    parser.expect_end()
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[int, str]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise ExpressionError(f"character {at + 1} has no meaning here: {text[at : at + 20]!r}")
            self._tokens.append((match.start(1), match[1].strip()))
            at = match.end()
        self._next = 0

    def expression(self, depth: int) -> Expression:
        if depth > _MOST_DEPTH:
            raise ExpressionError("the parentheses are too deep")
        found = self._operand(depth)
        while self._peek() in {"&", "|", "\\"}:
            join = self._take()
            found = Both(found, join, self._operand(depth))
        return found

    def expect_end(self) -> None:
        if self._peek() is not None:
            raise self._wrong("'&', '|', '\\' or the end")

    def _operand(self, depth: int) -> Expression:
        token = self._peek()
        if token == "(":  # noqa: S105 - a parenthesis
            self._take()
            inner = self.expression(depth + 1)
            if self._peek() != ")":
                raise self._wrong("')'")
            self._take()
            return inner
        if token == ANY:
            self._take()
            return Anything()
        key = self._word("a name")
        compare = self._peek()
        if compare != "=" and compare not in _COMPARE:
            raise self._wrong(f"a comparison after {key!r}")
        self._take()
        value = self._word("a value")
        if compare != "=" and _number(value) != _number(value):
            raise ExpressionError(f"{key}{compare}{value}: only numbers are smaller or greater")
        return Condition(key, compare, value)

    def _word(self, wanted: str) -> str:
        token = self._peek()
        if token is None or not (token[0].isalnum() or token[0] in "_.-"):
            raise self._wrong(wanted)
        return self._take()

    def _peek(self) -> str | None:
        return self._tokens[self._next][1] if self._next < len(self._tokens) else None

    def _take(self) -> str:
        self._next += 1
        return self._tokens[self._next - 1][1]

    def _wrong(self, wanted: str) -> ExpressionError:
        if self._next < len(self._tokens):
            at, token = self._tokens[self._next]
            return ExpressionError(f"expected {wanted}, not {token!r}, at character {at + 1}")
        return ExpressionError(f"expected {wanted} at the end")


def _number(text: str) -> float:
    """The number, or NaN, which is neither smaller nor greater than anything."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _equal(known: frozenset[str], value: str) -> bool:
    return any(_number(each) == _number(value) for each in known)
