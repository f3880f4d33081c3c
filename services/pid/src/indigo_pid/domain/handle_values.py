"""The values of a handle: what the Handle System knows of a name.

Sources: RFC 3651, section 3.1 (index, type, data, TTL, timestamp) and 4 (HS_ types); Handle.Net technical manual
(version 9), chapter 14 (their JSON). An identifier that no client of the Handle face wrote to says what it is in
values of its own.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

from indigo_contracts.pid import IdentifierState

from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.kernel_information import flaw, too_many
from indigo_pid.domain.names import ascii_lower

TTL_SECONDS = 300
"""Caches ask again after this: the default of a day would keep old targets alive for a day."""

MAX_BYTES = 64 * 1024
"""Of all values of one handle as JSON."""

URL = "URL"
LOCATIONS = "10320/LOC"

_ADMIN_INDEX = 100
_LONGEST_TTL = 10 * 365 * 86400
_FORMATS = frozenset({"string", "base64", "hex", "admin", "vlist", "site", "key"})
_SECRET = frozenset({"HS_SECKEY"})

Value = Mapping[str, Any]
"""``{"index", "type", "data": {"format", "value"}, "ttl", "timestamp"}``."""


class InvalidValue(ValueError):
    """No value of a handle, or none that is kept here."""


def values_of(identifier: Identifier) -> list[Value]:
    """What ``identifier`` says as a handle, by index. A tombstoned one leads to the page that says so."""
    if identifier.state is IdentifierState.TOMBSTONED:
        return _told(identifier, identifier.resolver_url)
    if identifier.values is not None:
        return sorted(identifier.values, key=index_of)
    return _told(identifier, identifier.target)


def index_of(value: Value) -> int:
    """The index of ``value``."""
    return int(value["index"])


def is_type(value: Value, asked: str) -> bool:
    """Whether ``value`` is of the type asked for. Types compare without case; ``X.`` stands for all below X."""
    mine, wanted = ascii_lower(value["type"]), ascii_lower(asked)
    return mine == wanted or (wanted.endswith(".") and f"{mine}.".startswith(wanted))


def first_text(values: Collection[Value], type_: str) -> str | None:
    """The text of the value of this type that has the lowest index."""
    found = [one for one in values if is_type(one, type_) and one["data"]["format"] == "string"]
    return str(min(found, key=index_of)["data"]["value"]) if found else None


def read_values(given: Any, *, now: datetime) -> list[Value]:
    """The values in a client's JSON: a list of them, ``{"values": […]}``, or a single one.

    Data may be bare text. Raises ``InvalidValue``.
    """
    listed = given.get("values", [given]) if isinstance(given, Mapping) else given
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
        raise InvalidValue("Give a list of values")
    values = [_read(one, now) for one in listed]
    if len({index_of(one) for one in values}) != len(values):
        raise InvalidValue("Two values have one index")
    return _checked(values)


def merged(old: Sequence[Value], new: Sequence[Value]) -> list[Value]:
    """``old`` with ``new`` over those of the same index. Raises ``InvalidValue`` when that cannot be."""
    return _checked(list({index_of(one): one for one in [*old, *new]}.values()))


def leading_to(values: Sequence[Value], url: str, *, now: datetime) -> list[Value]:
    """``values`` whose first URL is ``url``: in its place, or at the lowest free index."""
    indices = {index_of(one) for one in values}
    there = min((index_of(one) for one in values if is_type(one, URL)), default=None)
    index = there or next(free for free in count(1) if free not in indices)
    new = _value(index, URL, {"format": "string", "value": url}, now)
    return [*(one for one in values if index_of(one) != index), new]


def handle_instant(moment: datetime) -> str:
    """An instant as handle values carry it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _checked(values: list[Value]) -> list[Value]:
    if len(json.dumps(values, ensure_ascii=False).encode()) > MAX_BYTES:
        raise InvalidValue(f"The values have more than {MAX_BYTES} bytes")
    repeated = too_many([one["type"] for one in values])
    if repeated is not None:
        raise InvalidValue(f"{repeated} may be there once")
    return values


def _read(given: Any, now: datetime) -> Value:
    if not isinstance(given, Mapping):
        raise InvalidValue("A value is an object with index, type and data")
    index, type_ = _number(given.get("index"), "index", 2**31 - 1), given.get("type")
    if index < 1:
        raise InvalidValue("An index is 1 or more")
    if not isinstance(type_, str) or not 0 < len(type_) <= 255 or not type_.isprintable():
        raise InvalidValue(f"The value at {index} needs a type")
    if type_.upper() in _SECRET:
        raise InvalidValue(f"{type_}: everybody may read the values here; use an API key instead")
    ttl = _number(given.get("ttl", TTL_SECONDS), "ttl", _LONGEST_TTL)
    data = _data(given.get("data"), index)
    wrong = flaw(type_, data["value"] if data["format"] == "string" else None)
    if wrong is not None:
        raise InvalidValue(f"The value at {index}: {wrong}")
    return {"index": index, "type": type_, "data": data, "ttl": ttl, "timestamp": handle_instant(now)}


def _data(given: Any, index: int) -> dict[str, Any]:
    if isinstance(given, Mapping):
        form, value = given.get("format"), given.get("value")
    elif isinstance(given, str | int | float) and not isinstance(given, bool):
        form, value = "string", str(given)
    else:
        raise InvalidValue(f"The value at {index} needs data")
    if form not in _FORMATS:
        raise InvalidValue(f"The value at {index} has an unknown format of data")
    if form == "admin":
        value = _admin(value, index)
    elif form in {"string", "base64", "hex"}:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise InvalidValue(f"The data at {index} is text")
    elif value is None:
        raise InvalidValue(f"The value at {index} needs data")
    return {"format": form, "value": value}


def _admin(given: Any, index: int) -> dict[str, Any]:
    if not isinstance(given, Mapping) or not isinstance(given.get("handle"), str):
        raise InvalidValue(f"The data at {index} names a handle, an index and permissions")
    permissions = str(given.get("permissions", ""))
    if not permissions or set(permissions) - {"0", "1"} or len(permissions) > 12:
        raise InvalidValue(f"The permissions at {index} are up to twelve of 0 and 1")
    return {
        "handle": given["handle"],
        "index": _number(given.get("index"), "index", 2**31 - 1),
        "permissions": permissions,
    }


def _number(given: Any, what: str, most: int) -> int:
    """A number, which clients send as text as well."""
    text = str(given) if isinstance(given, int | str) and not isinstance(given, bool) else ""
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or int(text) > most:
        raise InvalidValue(f"{what} is a number up to {most}")
    return int(text)


def _told(identifier: Identifier, url: str | None) -> list[Value]:
    gone = identifier.state is IdentifierState.TOMBSTONED
    texts = [
        (1, URL, url),
        (2, "ARK", identifier.ark),
        (3, "DOI", identifier.doi),
        (4, "KIND", identifier.kind.value if identifier.kind else None),
        (5, "TOMBSTONE", identifier.reason if gone else None),
        (6, "CONCEPT", identifier.concept),
    ]
    prefix = identifier.handle.partition("/")[0]
    admin = {"handle": f"0.NA/{prefix}", "index": 200, "permissions": "011111110011"}
    return [
        *(
            _value(index, type_, {"format": "string", "value": text}, identifier.updated_at)
            for index, type_, text in texts
            if text
        ),
        _value(_ADMIN_INDEX, "HS_ADMIN", {"format": "admin", "value": admin}, identifier.created_at),
    ]


def _value(index: int, type_: str, data: Mapping[str, Any], at: datetime) -> Value:
    return {"index": index, "type": type_, "data": data, "ttl": TTL_SECONDS, "timestamp": handle_instant(at)}
