"""The canonical form of objects and containers with everything in them: JSON, one object per entry.

A queue has its values as an answer about all of them has. A reference has its address, and its name ends with a
question mark as in the list of its container. What the storage or the gateway says anew is left out when it is
read: identifiers, classes, sizes, checksums, numbers of values.

Source: CDMI 1.1.1, clause 15.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from indigo_kernel.problems import BadRequest

from indigo_qos_gateway.domain.metadata import writable
from indigo_qos_gateway.domain.node import MOST_VALUE_BYTES, NodeKind, Value, check_address
from indigo_qos_gateway.domain.paths import RESERVED, absolute
from indigo_qos_gateway.domain.storage import ObjectType
from indigo_qos_gateway.domain.values import check_media_type, encoded

MOST_BYTES = 32 * 1024 * 1024
"""Of one serialized object."""

MOST_ENTRIES = 1000
MOST_DEPTH = 32

_TYPES: dict[str, ObjectType | NodeKind] = {
    "application/cdmi-object": ObjectType.DATAOBJECT,
    "application/cdmi-container": ObjectType.CONTAINER,
    "application/cdmi-queue": NodeKind.QUEUE,
}
_NAMES = {kind: name for name, kind in _TYPES.items()} | {NodeKind.REFERENCE: "application/cdmi-object"}
_ENDINGS: dict[ObjectType | NodeKind, str] = {ObjectType.CONTAINER: "/", NodeKind.REFERENCE: "?"}


@dataclass(frozen=True, slots=True)
class Serialized:
    """One entry of the tree. The name of the outermost one counts for nothing.

    Objects have ``mimetype``, ``encoding`` and ``data``, containers ``children``, queues ``values``, and
    references a ``target``.
    """

    kind: ObjectType | NodeKind
    name: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    mimetype: str = "application/octet-stream"
    encoding: str = "base64"
    data: bytes = b""
    children: Sequence[Serialized] = ()
    values: Sequence[Value] = ()
    target: str | None = None


def written_form(tree: Serialized) -> bytes:
    """The JSON of it."""
    return json.dumps(_document(tree), ensure_ascii=False, separators=(",", ":")).encode()


def read_form(document: Any) -> Serialized:
    """What the JSON says. Raises ``BadRequest`` for what is no canonical form, too much, or badly named."""
    left = [MOST_ENTRIES]
    return _tree(document, left, 0)


def _document(tree: Serialized) -> dict[str, Any]:
    known: dict[str, Any] = {
        "objectType": _NAMES[tree.kind],
        "objectName": tree.name + _ENDINGS.get(tree.kind, ""),
        "completionStatus": "Complete",
        "metadata": dict(tree.metadata),
    }
    if tree.kind is NodeKind.REFERENCE:
        return known | {"reference": tree.target}
    if tree.kind is ObjectType.CONTAINER:
        return known | {
            "childrenrange": _range(len(tree.children)),
            "children": [_document(each) for each in tree.children],
        }
    if tree.kind is NodeKind.QUEUE:
        shown = [_shown(each.data, each.encoding) for each in tree.values]
        return known | {
            "queueValues": _range(len(tree.values)),
            "mimetype": [each.mimetype for each in tree.values],
            "valuerange": [_range(len(each.data)) for each in tree.values],
            "valuetransferencoding": [encoding for encoding, _ in shown],
            "value": [text for _, text in shown],
        }
    encoding, text = _shown(tree.data, tree.encoding)
    return known | {
        "mimetype": tree.mimetype,
        "valuerange": _range(len(tree.data)),
        "valuetransferencoding": encoding,
        "value": text,
    }


def _range(count: int) -> str:
    return f"0-{count - 1}" if count else ""


def _shown(data: bytes, encoding: str) -> tuple[str, str]:
    """A value and its encoding; JSON with NUL in its text is taken by few readers, and not by this one."""
    return encoded(data, "base64" if b"\0" in data else encoding)


def _tree(document: Any, left: list[int], depth: int) -> Serialized:
    left[0] -= 1
    if left[0] < 0 or depth > MOST_DEPTH:
        raise BadRequest(f"A serialized object has at most {MOST_ENTRIES} entries, {MOST_DEPTH} deep")
    kind: ObjectType | NodeKind | None = None
    if isinstance(document, dict):
        kind = NodeKind.REFERENCE if "reference" in document else _TYPES.get(_text(document, "objectType"))
    if kind is None:
        raise BadRequest(f"A serialized object is of type {', '.join(_TYPES)}, or has a reference")
    name = _name(_text(document, "objectName"), _ENDINGS.get(kind, "")) if depth else ""
    metadata = document.get("metadata", {})
    if not isinstance(metadata, dict):
        raise BadRequest("The metadata of a serialized object are a JSON object")
    kept = writable(metadata)
    if kind is NodeKind.REFERENCE:
        return Serialized(kind, name, kept, target=check_address(_text(document, "reference")))
    if kind is NodeKind.QUEUE:
        return Serialized(kind, name, kept, values=_values(document))
    if kind is ObjectType.DATAOBJECT:
        value = _value(
            _text(document, "mimetype") or "application/octet-stream",
            _text(document, "valuetransferencoding") or "utf-8",
            _text(document, "value"),
        )
        return Serialized(kind, name, kept, value.mimetype, value.encoding, value.data)
    children = document.get("children", [])
    if not isinstance(children, list):
        raise BadRequest("The children of a serialized container are a list")
    found = [_tree(each, left, depth + 1) for each in children]
    if len({each.name for each in found}) != len(found):
        raise BadRequest("Two children of a serialized container have one name")
    return Serialized(kind, name, kept, children=found)


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name, "")
    if not isinstance(value, str):
        raise BadRequest(f"{name} of a serialized object is text")
    return value


def _name(text: str, ending: str) -> str:
    """A name is one segment of a path: nothing gets out of the container it is in."""
    name = text.removesuffix(ending)
    if not name or "/" in name or "?" in name or name.startswith(RESERVED):
        raise BadRequest(f"No child can be called {text[:100]!r}")
    return absolute(name)[1:]


def _values(document: Mapping[str, Any]) -> list[Value]:
    lists = [document.get(name, []) for name in ("mimetype", "valuetransferencoding", "value")]
    told = [each for each in lists if isinstance(each, list) and all(isinstance(one, str) for one in each)]
    if len(told) < len(lists) or len({len(each) for each in told}) > 1:
        raise BadRequest("A serialized queue has mimetype, valuetransferencoding and value of each of its values")
    values = [_value(*each) for each in zip(*told, strict=True)]
    if any(len(each.data) > MOST_VALUE_BYTES for each in values):
        raise BadRequest(f"A value of a queue has at most {MOST_VALUE_BYTES} bytes")
    return values


def _value(mimetype: str, encoding: str, text: str) -> Value:
    check_media_type(mimetype)
    try:
        if encoding == "base64":
            return Value(mimetype, encoding, base64.b64decode(text, validate=True))
        if encoding == "utf-8":
            return Value(mimetype, encoding, text.encode())
    except (binascii.Error, ValueError):
        raise BadRequest("A value of a serialized object is not in its encoding") from None
    raise BadRequest(f"The value of a serialized object is utf-8 or base64, not {encoding[:20]!r}")
