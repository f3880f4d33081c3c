"""How the JSON form of a resource and its XML correspond, once for both directions.

A codec writes what it finds in a JSON object into a parent element, and reads it back. Elements stand in the
order in which the codecs are listed; the schema fixes it inside creators, contributors and related items. A
JSON name is an attribute's name in XML, but for ``…Uri`` (``…URI``) and ``lang`` (``xml:lang``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lxml import etree

from indigo_pid.datacite.models import SCHEMA
from indigo_pid.datacite.text import lines, one_line

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"

Json = dict[str, Any]
Element = etree._Element  # noqa: SLF001 - lxml has no public name for its element type


class Misplaced(Exception):
    """An element or attribute stands where the schema has no place for it, or is there twice."""


class Codec(Protocol):
    """One property: elements if the object has it, nothing if not. ``tags`` are their names.

    What stands for an object by itself has ``add`` instead of ``write``: it is there, even if empty.
    """

    @property
    def tags(self) -> frozenset[str]: ...

    def write(self, parent: Element, value: Json) -> None: ...

    def read(self, element: Element, value: Json) -> None: ...


def _add(parent: Element, tag: str) -> Element:
    return etree.SubElement(parent, f"{{{SCHEMA}}}{tag}")


def _text_of(element: Element) -> str:
    if len(element):
        raise Misplaced(f"{tag_of(element)} holds text only")
    return one_line(element.text or "")


def tag_of(element: Element) -> str:
    """The name of an element of the schema. Raises ``Misplaced`` for one of another namespace."""
    name = etree.QName(element)
    if name.namespace != SCHEMA:
        raise Misplaced(f"{name.localname} is not in the namespace {SCHEMA}")
    return name.localname


def _attribute(name: str) -> str:
    if name == "lang":
        return _LANG
    return f"{name[:-3]}URI" if name.endswith("Uri") else name


def _write_attributes(element: Element, value: Json, names: tuple[str, ...]) -> None:
    for name in names:
        if name in value:
            element.set(_attribute(name), str(value[name]))


def _read_attributes(element: Element, value: Json, names: tuple[str, ...], *, strict: bool = True) -> None:
    known = {_attribute(name): name for name in names}
    for attribute, content in element.attrib.items():
        if str(attribute).startswith(_XSI):
            continue
        if attribute not in known:
            if not strict:
                continue
            raise Misplaced(f"{tag_of(element)} has no attribute {etree.QName(attribute).localname}")
        if text := one_line(str(content)):
            value[known[str(attribute)]] = text


def _put(value: Json, name: str, content: object) -> None:
    if name in value:
        raise Misplaced(f"{name} is there twice")
    value[name] = content


def _plain(content: object) -> str:
    return str(content)


def year(content: object) -> str:
    """A year as the schema has it: four digits."""
    return f"{content:04}"


@dataclass(frozen=True, slots=True)
class Text:
    """An element with text, whose text and attributes are values of the object it stands in.

    Not ``strict`` where the schema itself takes any attribute: what it does not know is passed over.
    """

    tag: str
    name: str
    attributes: tuple[str, ...] = ()
    shown: Callable[[object], str] = _plain
    strict: bool = True

    @property
    def tags(self) -> frozenset[str]:
        return frozenset({self.tag})

    def write(self, parent: Element, value: Json) -> None:
        if self.name in value or any(name in value for name in self.attributes):
            self.add(parent, value)

    def add(self, parent: Element, value: Json) -> None:
        element = _add(parent, self.tag)
        if self.name in value:
            element.text = self.shown(value[self.name])
        _write_attributes(element, value, self.attributes)

    def read(self, element: Element, value: Json) -> None:
        if self.name in value or any(name in value for name in self.attributes):
            raise Misplaced(f"{self.tag} is there twice")
        _read_attributes(element, value, self.attributes, strict=self.strict)
        if text := _text_of(element):
            value[self.name] = text


@dataclass(frozen=True, slots=True)
class Broken:
    """An element with text whose line feeds are ``<br/>``."""

    tag: str
    name: str
    attributes: tuple[str, ...] = ()

    @property
    def tags(self) -> frozenset[str]:
        return frozenset({self.tag})

    def add(self, parent: Element, value: Json) -> None:
        element = _add(parent, self.tag)
        first, *more = str(value.get(self.name, "")).split("\n")
        element.text = first
        for line in more:
            _add(element, "br").tail = line
        _write_attributes(element, value, self.attributes)

    def read(self, element: Element, value: Json) -> None:
        _read_attributes(element, value, self.attributes)
        told = [one_line(element.text or "")]
        for child in element:
            if tag_of(child) != "br" or len(child) or child.text:
                raise Misplaced(f"{self.tag} holds text and empty br elements only")
            told.append(one_line(child.tail or ""))
        if text := lines("\n".join(told)):
            value[self.name] = text


@dataclass(frozen=True, slots=True)
class Node:
    """An element made of others, which are values of one object; ``attributes`` are too."""

    tag: str
    parts: tuple[Codec, ...]
    attributes: tuple[str, ...] = ()

    @property
    def tags(self) -> frozenset[str]:
        return frozenset({self.tag})

    def add(self, parent: Element, value: Json) -> None:
        self.fill(_add(parent, self.tag), value)

    def fill(self, element: Element, value: Json) -> None:
        """Write into ``element`` itself."""
        _write_attributes(element, value, self.attributes)
        for part in self.parts:
            part.write(element, value)

    def read(self, element: Element, value: Json) -> None:
        if (element.text or "").strip() or any((child.tail or "").strip() for child in element):
            raise Misplaced(f"{tag_of(element)} holds elements only")
        _read_attributes(element, value, self.attributes)
        codecs = {tag: part for part in self.parts for tag in part.tags}
        for child in element:
            codec = codecs.get(tag_of(child))
            if codec is None:
                raise Misplaced(f"{tag_of(child)} has no place in {tag_of(element)}")
            codec.read(child, value)


@dataclass(frozen=True, slots=True)
class One:
    """An element that is an object of its own, under ``name``."""

    name: str
    codec: Text | Node

    @property
    def tags(self) -> frozenset[str]:
        return self.codec.tags

    def write(self, parent: Element, value: Json) -> None:
        if self.name in value:
            self.codec.add(parent, value[self.name])

    def read(self, element: Element, value: Json) -> None:
        inner: Json = {}
        self.codec.read(element, inner)
        _put(value, self.name, inner)


@dataclass(frozen=True, slots=True)
class Many:
    """Elements that repeat: a list of objects under ``name``."""

    name: str
    codec: Text | Broken | Node

    @property
    def tags(self) -> frozenset[str]:
        return self.codec.tags

    def write(self, parent: Element, value: Json) -> None:
        for item in value.get(self.name, ()):
            self.codec.add(parent, item)

    def read(self, element: Element, value: Json) -> None:
        inner: Json = {}
        self.codec.read(element, inner)
        value.setdefault(self.name, []).append(inner)


@dataclass(frozen=True, slots=True)
class Words:
    """Elements that repeat: a list of texts under ``name``."""

    name: str
    tag: str

    @property
    def tags(self) -> frozenset[str]:
        return frozenset({self.tag})

    def write(self, parent: Element, value: Json) -> None:
        for item in value.get(self.name, ()):
            _add(parent, self.tag).text = item

    def read(self, element: Element, value: Json) -> None:
        _read_attributes(element, {}, ())
        if text := _text_of(element):
            value.setdefault(self.name, []).append(text)


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A list inside an element of its own; absent when empty."""

    tag: str
    items: Many | Words

    @property
    def tags(self) -> frozenset[str]:
        return frozenset({self.tag})

    def write(self, parent: Element, value: Json) -> None:
        if value.get(self.items.name):
            self.items.write(_add(parent, self.tag), value)

    def read(self, element: Element, value: Json) -> None:
        if self.items.name in value:
            raise Misplaced(f"{self.tag} is there twice")
        Node(self.tag, (self.items,)).read(element, value)


@dataclass(frozen=True, slots=True)
class Areas:
    """``geoLocationPolygon``: in JSON one list of points, or a list of such lists."""

    name: str
    node: Node

    @property
    def tags(self) -> frozenset[str]:
        return self.node.tags

    def write(self, parent: Element, value: Json) -> None:
        polygons = value.get(self.name, [])
        if polygons and isinstance(polygons[0], Mapping):
            polygons = [polygons]
        for polygon in polygons:
            # The corners come first and then the point inside, wherever it stood in JSON.
            self.node.add(
                parent,
                {
                    name: [point[name] for point in polygon if name in point]
                    for name in ("polygonPoint", "inPolygonPoint")
                },
            )

    def read(self, element: Element, value: Json) -> None:
        inner: Json = {}
        self.node.read(element, inner)
        value.setdefault(self.name, []).append(
            [{name: point} for name in ("polygonPoint", "inPolygonPoint") for point in inner.get(name, [])]
        )
