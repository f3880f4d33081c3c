"""Which objects a notification or a query is about, and what is told of them.

A scope is a list of conditions: every field of one has to match, and one of them has to. A field is matched by an
expression such as ``"== red"``, by a list of expressions that all have to hold, or by conditions on what is in it.
Regular expressions (``=~``) are not offered: one request could keep a process busy for hours.

Source: CDMI 1.1.1, clauses 18 (scope specification) and 19 (results specification).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from indigo_kernel.problems import BadRequest

_OPERATOR = re.compile(
    r"(\*|!\*)$|(#?(?:==|!=|>=|<=|>|<))\s?(.*)|(!?(?:starts|ends|contains|tag))(?:\s(.*))?$", re.DOTALL
)
_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?")
_MOST_CONDITIONS = 100
_MOST_DEPTH = 8


def check_scope(scope: Any) -> None:
    """Raise ``BadRequest`` for what is no scope."""
    if not isinstance(scope, list) or not all(isinstance(each, dict) for each in scope):
        raise BadRequest('A scope is a list of conditions such as {"mimetype": "== text/plain"}')
    if sum(_count(each, 0) for each in scope) > _MOST_CONDITIONS:
        raise BadRequest(f"A scope has at most {_MOST_CONDITIONS} expressions")


def check_results(results: Any) -> None:
    """Raise ``BadRequest`` for what does not say which fields are told."""
    if results != "" and not _names_fields(results, 0):
        raise BadRequest(
            'Results are the names of fields, such as {"objectID": "", "metadata": {"cdmi_size": ""}}'
        )
    if isinstance(results, dict) and "value" in results:
        raise BadRequest("Values are not told; ask for the object by its objectID")


def matches(scope: list[dict[str, Any]], document: Mapping[str, Any]) -> bool:
    """Whether a document is in the scope; every one is in an empty one."""
    return not scope or any(_all_match(each, document) for each in scope)


def told(results: Any, document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a document that are asked for; ``""`` stands for the whole of it."""
    if results == "":
        return dict(document)
    found: dict[str, Any] = {}
    for name, inner in results.items():
        if name not in document:
            continue
        value = document[name]
        found[name] = told(inner, value) if isinstance(inner, dict) and isinstance(value, Mapping) else value
    return found


def _names_fields(results: Any, depth: int) -> bool:
    if not isinstance(results, dict) or depth > _MOST_DEPTH:
        return False
    return all(each == "" or _names_fields(each, depth + 1) for each in results.values())


def _count(condition: Any, depth: int) -> int:
    if isinstance(condition, dict):
        if depth > _MOST_DEPTH:
            raise BadRequest("The scope is nested too deep")
        if depth == 0 and "value" in condition:
            raise BadRequest("Values are not searched")
        return sum(_count(each, depth + 1) for each in condition.values())
    expressions = condition if isinstance(condition, list) else [condition]
    if not expressions or not all(isinstance(each, str) and _OPERATOR.match(each) for each in expressions):
        raise BadRequest(f"This is no expression of a scope: {str(condition)[:100]!r}")
    return len(expressions)


def _all_match(conditions: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    return all(_field_matches(each, document.get(name), name in document) for name, each in conditions.items())


def _field_matches(condition: Any, value: Any, there: bool) -> bool:
    if isinstance(condition, dict):
        return isinstance(value, Mapping) and _all_match(condition, value)
    expressions = condition if isinstance(condition, list) else [condition]
    return all(_holds(each, value, there) for each in expressions)


def _holds(expression: str, value: Any, there: bool) -> bool:
    if expression in {"*", "!*"}:
        return there == (expression == "*")
    found = _OPERATOR.match(expression)
    if found is None or not there:
        return False
    operator, constant = found[2] or found[4], (found[3] if found[2] else found[5]) or ""
    if isinstance(value, list):
        # A negation over a list is about all of it: none of its entries is that.
        if operator.lstrip("#").startswith("!"):
            return all(_compare(operator, str(each), constant) for each in value)
        return any(_compare(operator, str(each), constant) for each in value)
    return _compare(operator, value if isinstance(value, str) else str(value), constant)


def _compare(operator: str, text: str, constant: str) -> bool:
    if operator.startswith("#"):
        if not (_NUMBER.fullmatch(text.strip()) and _NUMBER.fullmatch(constant.strip())):
            return False
        return _ordered(operator[1:], float(text), float(constant))
    if operator[0] in "=!<>" and operator.lstrip("!")[:1] in {"=", "<", ">"}:
        return _ordered(operator, text, constant)
    negated, name = operator.startswith("!"), operator.lstrip("!")
    if name == "starts":
        holds = text.startswith(constant)
    elif name == "ends":
        holds = text.endswith(constant)
    elif name == "contains":
        holds = constant in text
    else:
        holds = constant.strip().casefold() in {each.strip().casefold() for each in text.split(",")}
    return holds != negated


def _ordered(operator: str, left: Any, right: Any) -> bool:
    order = (left > right) - (left < right)
    wanted = {"==": {0}, "!=": {-1, 1}, ">": {1}, ">=": {0, 1}, "<": {-1}, "<=": {-1, 0}}[operator]
    return order in wanted
