"""Media types of maDMP documents and content negotiation (RDA common maDMP API; RFC 9110, section 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from indigo_kernel.problems import NotAcceptable, UnsupportedMediaType

from indigo_dmp.madmp.reading import ReadVersion
from indigo_dmp.madmp.schema import Version

JSON = "application/json"


def madmp(version: str) -> str:
    """The registered name of ``version`` of the standard."""
    return f"application/vnd.org.rd-alliance.dmp-common.v{version}+json"


WRITES: Mapping[str, Version] = {JSON: "1.2", madmp("1.2"): "1.2", madmp("1.3"): "1.3"}
"""What can be asked for, the default first."""

READS: Mapping[str, ReadVersion] = {
    JSON: "1.2",
    madmp("1.2"): "1.2",
    madmp("1.3"): "1.3",
    madmp("1.1"): "1.1",
    madmp("1.0"): "1.0",
}

_QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


def negotiate(accept: str | None) -> str:
    """The media type to answer with. Raises ``NotAcceptable`` (406) with the types there are."""
    if accept is None or not accept.strip():
        return JSON
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    best, best_quality = "", 0.0
    for offer in WRITES:
        quality = _quality_of(offer, ranges)
        if quality > best_quality:
            best, best_quality = offer, quality
    if not best:
        raise NotAcceptable(f"A plan can be had as {', '.join(WRITES)}")
    return best


def read_version(content_type: str | None) -> ReadVersion:
    """The version of the standard a body is written in. Raises ``UnsupportedMediaType`` (415)."""
    name, *parameters = (content_type or "").split(";")
    version = READS.get(name.strip().lower())
    charsets = [value for parameter in parameters if (value := _charset(parameter))]
    if version is None or any(charset != "utf-8" for charset in charsets):
        raise UnsupportedMediaType(
            f"A plan is read as {', '.join(READS)}, in UTF-8", headers={"accept": ", ".join(READS)}
        )
    return version


def _charset(parameter: str) -> str | None:
    name, _, value = parameter.partition("=")
    return value.strip().strip('"').lower() if name.strip().lower() == "charset" else None


def _range(text: str) -> tuple[str, float]:
    name, *parameters = text.split(";")
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            quality = float(value.strip()) if _QUALITY.fullmatch(value.strip()) else 0.0
    return name.strip().lower(), quality


def _quality_of(offer: str, ranges: list[tuple[str, float]]) -> float:
    """The quality the most specific range that fits ``offer`` gives it."""
    for fitting in (offer, "application/*", "*/*"):
        found = [quality for name, quality in ranges if name == fitting]
        if found:
            return max(found)
    return 0.0
