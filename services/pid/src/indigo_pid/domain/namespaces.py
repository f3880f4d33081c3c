"""Template handles: handles nobody wrote, computed from a written one and what follows it.

Source: Handle.Net technical manual (version 9), "Template Handles": the type HS_NAMESPACE, whose data is XML like
``<namespace><template delimiter="@"><foreach>…``. A handle that does not exist is cut at the delimiter; the values
of the first part, ``base``, go through the template, which sees the second as ``extension``. With the delimiter
``/`` that is suffix passthrough.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from indigo_pid.domain.handle_values import URL, InvalidValue, Value, index_of
from indigo_pid.domain.pattern import BadPattern, Pattern

NAMESPACE = "HS_NAMESPACE"

REGISTRY = "0.NA"
"""The prefix of the handles of prefixes; a template there is for all handles under the prefix."""

MAX_XML = 16 * 1024
MAX_ELEMENTS = 100
MAX_VALUES = 100
"""Values a template may make."""
MAX_CHARACTERS = 64 * 1024
"""Of each text in them."""

_ALLOWED = {
    "foreach": frozenset[str](),
    "if": frozenset({"value", "test", "expression", "parameter"}),
    "else": frozenset[str](),
    "value": frozenset({"index", "type", "data"}),
    "notfound": frozenset[str](),
}
_TESTS = frozenset({"equals", "matches"})
_DELIMITER = re.compile(r"[^0-9A-Za-z\s][^\s]{0,9}")
_VARIABLE = re.compile(r"\$\{([A-Za-z]\w*)(?:\[(\d{1,2})\])?\}")
_HOST = re.compile(r"https?://[^/?#]+[/?#]")
_KEPT = "!$&'()*+,;=:@-._~/?"


class NotThere(Exception):
    """The template makes nothing of this extension."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A template. With ``ref`` what it does is said by the HS_NAMESPACE value of that handle."""

    delimiter: str
    ref: str | None
    template: ET.Element
    patterns: Mapping[str, Pattern]

    @property
    def is_about_urls(self) -> bool:
        """Whether URLs are all it makes something of, so that a handle's URL is enough to know to where it leads.

        That is ``<foreach><if value="type" test="equals" expression="URL">…</if></foreach>``; other values may
        stay as they are.
        """
        return all(each.tag == "foreach" and all(_is_about_urls(one) for one in each) for each in self.template)


@dataclass(frozen=True, slots=True)
class _Text:
    """A part of a text. What came with the request is not ``trusted`` to say where anybody is led."""

    text: str
    trusted: bool


_Scope = Mapping[str, Sequence[_Text]]


def read_namespace(xml: str) -> Namespace:
    """Read the data of an HS_NAMESPACE value. Raises ``InvalidValue``."""
    if len(xml) > MAX_XML or "<!" in xml or "<?" in xml.lstrip()[5:]:
        raise InvalidValue("A namespace is XML of moderate size without declarations of its own")
    try:
        root = ET.fromstring(xml)  # noqa: S314 - doctypes and entities are refused above
    except (ET.ParseError, ValueError) as error:
        raise InvalidValue(f"A namespace is XML: {error}") from error
    templates = root.findall("template")
    if root.tag != "namespace" or len(templates) != 1 or len(list(root.iter())) > MAX_ELEMENTS:
        raise InvalidValue("<namespace> has one <template>")
    (template,) = templates
    delimiter = template.get("delimiter", "")
    if not _DELIMITER.fullmatch(delimiter):
        raise InvalidValue("A delimiter begins with a character that is no letter and no digit")
    if any(len(list(one.iter("foreach"))) > 1 for one in template.iter("foreach")):
        raise InvalidValue("A <foreach> inside of a <foreach> would do the work of all values for each of them")
    patterns = {}
    for element in template.iter():
        if element is template:
            continue
        if element.tag not in _ALLOWED or set(element.keys()) - _ALLOWED[element.tag]:
            raise InvalidValue(f"A template has no <{element.tag}> like this")
        if element.tag == "if":
            if element.get("value") is None or element.get("test") not in _TESTS:
                raise InvalidValue('<if> has a value, and test="equals" or test="matches"')
            expression = element.get("expression", "")
            if element.get("test") == "matches":
                try:
                    patterns[expression] = Pattern(expression)
                except BadPattern as error:
                    raise InvalidValue(f"The expression {expression!r}: {error}") from error
    return Namespace(delimiter, template.get("ref"), template, patterns)


def _is_about_urls(element: ET.Element) -> bool:
    if element.tag == "else":
        return all(one.tag == "value" and not one.attrib for one in element)
    asked = {"value": "type", "test": "equals", "expression": URL}
    return element.tag == "if" and asked.items() <= element.attrib.items()


def computed_values(namespace: Namespace, handle: str, base: str, values: Sequence[Value]) -> list[Value]:
    """The values of ``handle``, made by ``namespace`` of those of ``base``, which it begins with.

    A URL among them has its host from the template or the values, never from the extension. Raises ``NotThere``.
    """
    extension = handle[len(base) + len(namespace.delimiter) :]
    scope = {
        "handle": [_Text(handle, False)],
        "base": [_Text(base, False)],
        "extension": [_Text(extension, False)],
    }
    made: list[Value] = []
    for one in _run(namespace, namespace.template, scope, values, None):
        made.append(one)
        if len(made) > MAX_VALUES:
            raise NotThere("too many values")
    if not made:
        raise NotThere("no values")
    return sorted(made, key=index_of)


def _run(
    namespace: Namespace, element: ET.Element, scope: _Scope, values: Sequence[Value], current: Value | None
) -> Iterator[Value]:
    held: bool | None = None
    inner = scope
    for child in element:
        if child.tag == "foreach":
            for value in values:
                yield from _run(namespace, child, {**scope, **_said(value)}, values, value)
        elif child.tag == "if":
            held, inner = _holds(namespace, child, scope)
            if held:
                yield from _run(namespace, child, inner, values, current)
        elif child.tag == "else":
            if held is False:
                yield from _run(namespace, child, inner, values, current)
        elif child.tag == "notfound":
            raise NotThere("the template says so")
        else:
            yield _value(child, scope, current, values)


def _said(value: Value) -> _Scope:
    data = value["data"]["value"] if value["data"]["format"] == "string" else ""
    return {
        "index": [_Text(str(value["index"]), True)],
        "type": [_Text(value["type"], True)],
        "data": [_Text(str(data), True)],
    }


def _holds(namespace: Namespace, condition: ET.Element, scope: _Scope) -> tuple[bool, _Scope]:
    """Whether an ``<if>`` holds, and what is known inside it and in its ``<else>``."""
    text = "".join(one.text for one in scope.get(condition.get("value", ""), ()))
    expression = condition.get("expression", "")
    if condition.get("test") == "equals":
        groups: list[str | None] | None = [text] if text == expression else None
    else:
        groups = namespace.patterns[expression].fullmatch(text)
    parameter = condition.get("parameter")
    if parameter is None:
        return groups is not None, scope
    found = groups if groups is not None else [text]
    bound = {f"{parameter}[{number}]": [_Text(one or "", False)] for number, one in enumerate(found)}
    return groups is not None, {**scope, **bound, parameter: [_Text(text, False)]}


def _value(element: ET.Element, scope: _Scope, current: Value | None, values: Sequence[Value]) -> Value:
    """What a ``<value>`` makes: ``current`` with what the element says, or all of it outside of ``<foreach>``."""
    type_, index, data = element.get("type"), element.get("index"), element.get("data")
    if current is None and (type_ is None or index is None or data is None or not values):
        raise NotThere("a value outside of <foreach> needs an index, a type and data")
    told = current or values[0]
    kind = _plain(_expanded(type_, scope)) if type_ is not None else str(told["type"])
    number = _plain(_expanded(index, scope)) if index is not None else str(told["index"])
    if not number.isascii() or not number.isdecimal() or not 0 < int(number) < 2**31:
        raise NotThere("an index is a number")
    if data is None:
        content = told["data"]
    else:
        parts = _expanded(data, scope)
        content = {"format": "string", "value": _address(parts) if kind.upper() == URL else _plain(parts)}
    return {**told, "index": int(number), "type": kind, "data": content}


def _expanded(text: str, scope: _Scope) -> list[_Text]:
    """``text`` with its variables replaced. Raises ``NotThere``: one is not known, or it gets too long."""
    parts, position, size = [], 0, len(text)
    for variable in _VARIABLE.finditer(text):
        parts.append(_Text(text[position : variable.start()], True))
        name = variable[1] if variable[2] is None else f"{variable[1]}[{int(variable[2])}]"
        if name not in scope:
            raise NotThere(f"{name} is not known")
        size += sum(len(one.text) for one in scope[name])
        if size > MAX_CHARACTERS:
            raise NotThere("too long")
        parts += scope[name]
        position = variable.end()
    return [*parts, _Text(text[position:], True)]


def _plain(parts: Sequence[_Text]) -> str:
    return "".join(one.text for one in parts)


def _address(parts: Sequence[_Text]) -> str:
    """A URL whose host is trusted and whose path does not climb. Raises ``NotThere``."""
    trusted = ""
    for one in parts:
        if not one.trusted and one.text:
            break
        trusted += one.text
    url = "".join(one.text if one.trusted else quote(one.text, safe=_KEPT) for one in parts)
    if url != trusted and not _HOST.match(trusted):
        raise NotThere("the extension would say which host")
    path = url.partition("//")[2].partition("?")[0].partition("#")[0]
    if url != trusted and any(part in {".", ".."} for part in path.split("/")):
        raise NotThere("the extension would climb")
    if not url.startswith(("https://", "http://")):
        raise NotThere("no web address")
    return url
