"""Kernel information: what a program may know of an object from its identifier alone, in typed records.

Source: RDA Recommendation on PID Kernel Information (2018), the attributes of its profile and which of them are
mandatory; their types are those of the ePIC data type registry. A client of the Handle face writes them as values
with these types; of an identifier nobody wrote to, they say what is known here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.names import ascii_lower, parse_name


class _Form(Enum):
    """What a value looks like."""

    IDENTIFIER = "a handle or the address of one"
    ADDRESS = "an http or https address"
    INSTANT = "a date or an instant (ISO 8601)"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class KernelType:
    """One attribute: the handle that names its type, and its name in the recommendation."""

    type: str
    name: str
    form: _Form
    mandatory: bool = False
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class KernelEntry:
    """What an identifier says of its object in one attribute."""

    type: str
    name: str
    value: str


_PROFILE = KernelType("21.T11148/076759916209e5d62bd5", "kernelInformationProfile", _Form.IDENTIFIER, True)
_LOCATION = KernelType("21.T11148/b8457812905b83046284", "digitalObjectLocation", _Form.ADDRESS, True, True)
_CREATED = KernelType("21.T11148/aafd5fb4c7222e2d950a", "dateCreated", _Form.INSTANT, True)
_MODIFIED = KernelType("21.T11148/397d831aa3a9d18eb52c", "dateModified", _Form.INSTANT)
_VERSION = KernelType("21.T11148/c692273deb2772da307f", "version", _Form.TEXT)

KERNEL_TYPES = (
    _PROFILE,
    KernelType("21.T11148/1c699a5d1b4ad3ba4956", "digitalObjectType", _Form.IDENTIFIER, True),
    _LOCATION,
    KernelType("21.T11148/8074aed799118ac263ad", "digitalObjectPolicy", _Form.IDENTIFIER, True),
    KernelType("21.T11148/92e200311a56800b3e47", "etag", _Form.TEXT, True),
    _MODIFIED,
    _CREATED,
    _VERSION,
    KernelType("21.T11148/c6e4c19f294ee6f41b1e", "wasDerivedFrom", _Form.IDENTIFIER, repeatable=True),
)
_BY_TYPE = {one.type.lower(): one for one in KERNEL_TYPES}
_INSTANT = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")


def flaw(type_: str, text: str | None) -> str | None:
    """Why ``text`` cannot be a value of ``type_``; ``None`` when it can, or is of no kernel type."""
    known = _BY_TYPE.get(ascii_lower(type_))
    if known is None or (text is not None and _fits(known.form, text)):
        return None
    return f"{known.name} is {known.form.value}"


def too_many(types: Sequence[str]) -> str | None:
    """The attribute that is among ``types`` more often than it may be, if any."""
    found = [_BY_TYPE.get(ascii_lower(one)) for one in types]
    for one in KERNEL_TYPES:
        if not one.repeatable and found.count(one) > 1:
            return one.name
    return None


def kernel_information(identifier: Identifier) -> list[KernelEntry]:
    """What ``identifier`` says, in the order of the recommendation."""
    if identifier.values is None:
        return _known(identifier)
    return [
        KernelEntry(one.type, one.name, str(value["data"]["value"]))
        for one in KERNEL_TYPES
        for value in identifier.values
        if ascii_lower(value["type"]) == one.type.lower() and isinstance(value["data"]["value"], str)
    ]


def missing(entries: Sequence[KernelEntry]) -> list[str]:
    """Mandatory attributes that are not there, when a profile is claimed to be followed."""
    named = {one.name for one in entries}
    if _PROFILE.name not in named:
        return []
    return [one.name for one in KERNEL_TYPES if one.mandatory and one.name not in named]


def _known(identifier: Identifier) -> list[KernelEntry]:
    record = identifier.record
    told = [
        (_LOCATION, identifier.target),
        (_MODIFIED, identifier.updated_at.isoformat()),
        (_CREATED, identifier.created_at.isoformat()),
        (_VERSION, str(record.edition) if record else None),
    ]
    return [KernelEntry(one.type, one.name, value) for one, value in told if value]


def _fits(form: _Form, text: str) -> bool:
    if form is _Form.ADDRESS:
        return text.startswith(("https://", "http://"))
    if form is _Form.IDENTIFIER:
        return parse_name(text) is not None or text.startswith(("https://", "http://"))
    if form is _Form.TEXT:
        return bool(text.strip())
    if _INSTANT.fullmatch(text):
        text = f"{text}-01-01"[:10]
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
