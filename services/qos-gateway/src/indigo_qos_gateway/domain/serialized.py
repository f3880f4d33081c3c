"""The canonical form of objects and containers with everything in them: JSON, one object per entry.

What the storage or the gateway says anew is left out when it is read: identifiers, classes, sizes, checksums.

Source: CDMI 1.1.1, clause 15.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from indigo_kernel.problems import BadRequest

from indigo_qos_gateway.domain.metadata import writable
from indigo_qos_gateway.domain.paths import RESERVED, absolute
from indigo_qos_gateway.domain.storage import ObjectType

MOST_BYTES = 32 * 1024 * 1024
"""Of one serialized object."""

MOST_ENTRIES = 1000
MOST_DEPTH = 32

_TYPES = {
    "application/cdmi-object": ObjectType.DATAOBJECT,
    "application/cdmi-container": ObjectType.CONTAINER,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}


@dataclass(frozen=True, slots=True)
class Serialized:
    """One object or container. The name of the outermost one counts for nothing."""

    kind: ObjectType
    name: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    mimetype: str = "application/octet-stream"
    encoding: str = "base64"
    data: bytes = b""
    children: Sequence[Serialized] = ()


def written_form(tree: Serialized) -> bytes:
    """The JSON of it."""
    return json.dumps(_document(tree), ensure_ascii=False, separators=(",", ":")).encode()


def parse_serialized(text: bytes) -> Serialized:
    """Read it. Raises ``BadRequest`` for what is no canonical form, too big, too deep, or named as nothing is."""
    if len(text) > MOST_BYTES:
        raise BadRequest(f"A serialized object has at most {MOST_BYTES} bytes")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRequest("The serialized object is not JSON") from None
    left = [MOST_ENTRIES]
    return _tree(document, left, 0)


def _document(tree: Serialized) -> dict[str, Any]:
    known: dict[str, Any] = {
        "objectType": _NAMES[tree.kind],
        "objectName": tree.name + ("/" if tree.kind is ObjectType.CONTAINER else ""),
        "completionStatus": "Complete",
        "metadata": dict(tree.metadata),
    }
    if tree.kind is ObjectType.CONTAINER:
        last = len(tree.children) - 1
        return known | {
            "childrenrange": f"0-{last}" if tree.children else "",
            "children": [_document(each) for each in tree.children],
        }
    encoding, text = "base64", base64.b64encode(tree.data).decode()
    if tree.encoding == "utf-8":
        with contextlib.suppress(UnicodeDecodeError):  # its client said it was text, and it is not
            encoding, text = "utf-8", tree.data.decode()
    return known | {
        "mimetype": tree.mimetype,
        "valuerange": f"0-{len(tree.data) - 1}" if tree.data else "",
        "valuetransferencoding": encoding,
        "value": text,
    }


def _tree(document: Any, left: list[int], depth: int) -> Serialized:
    left[0] -= 1
    if left[0] < 0 or depth > MOST_DEPTH:
        raise BadRequest(f"A serialized object has at most {MOST_ENTRIES} entries, {MOST_DEPTH} deep")
    kind = _TYPES.get(_text(document, "objectType")) if isinstance(document, dict) else None
    if kind is None:
        raise BadRequest(f"A serialized object is of type {' or '.join(_TYPES)}")
    name = _name(_text(document, "objectName")) if depth else ""
    metadata = document.get("metadata", {})
    if not isinstance(metadata, dict):
        raise BadRequest("The metadata of a serialized object are a JSON object")
    kept = writable(metadata)
    if kind is ObjectType.DATAOBJECT:
        mimetype = _text(document, "mimetype") or "application/octet-stream"
        encoding = _text(document, "valuetransferencoding") or "utf-8"
        return Serialized(kind, name, kept, mimetype[:255], encoding, _value(document, encoding))
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


def _name(text: str) -> str:
    """A name is one segment of a path: nothing gets out of the container it is in."""
    name = text.removesuffix("/")
    if not name or "/" in name or "?" in name or name.startswith(RESERVED):
        raise BadRequest(f"No child can be called {text[:100]!r}")
    return absolute(name)[1:]


def _value(document: Mapping[str, Any], encoding: str) -> bytes:
    text = _text(document, "value")
    try:
        if encoding == "base64":
            return base64.b64decode(text, validate=True)
        return text.encode()
    except (binascii.Error, ValueError):
        raise BadRequest("A value of a serialized object is not in its encoding") from None
