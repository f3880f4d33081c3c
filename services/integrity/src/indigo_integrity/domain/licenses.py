"""License URIs that mean the same license.

SPDX license list (``spdx.org/licenses/<id>``, identifiers compare without case, ``-or-later`` and ``-only`` are
part of them) and Creative Commons URLs (with or without ``deed``, ``legalcode``, language, ``www``).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_ZERO = {"publicdomain/zero/1.0": "cc0-1.0", "publicdomain/mark/1.0": "cc-pdm-1.0"}
_CC = re.compile(r"licenses/([a-z-]+)/(\d\.\d)(?:/([a-z]{2,3}))?")
_OPENSOURCE = re.compile(r"licenses?/([A-Za-z0-9.+-]+?)(?:\.php|\.html)?")
_OPENSOURCE_NAMES = {"mit": "mit", "apache-2-0": "apache-2.0", "bsd-3-clause": "bsd-3-clause"}


def same_license(one: str, other: str) -> bool:
    return normal(one) == normal(other)


def normal(license_uri: str) -> str:
    """An SPDX identifier in lower case when the URI is known to mean one, otherwise the URI, tidied."""
    text = license_uri.strip()
    parts = urlsplit(text)
    host = parts.netloc.lower().removeprefix("www.")
    path = parts.path.strip("/")
    if not host:
        return text.lower()
    if host == "spdx.org" and path.startswith("licenses/"):
        return path.removeprefix("licenses/").removesuffix(".html").removesuffix(".json").lower()
    if host == "creativecommons.org":
        bare = path.lower().split("/deed")[0].split("/legalcode")[0]
        if bare in _ZERO:
            return _ZERO[bare]
        if match := _CC.fullmatch(bare):
            port = f"-{match[3]}" if match[3] else ""
            return f"cc-{match[1]}-{match[2]}{port}"
    if host == "opensource.org" and (match := _OPENSOURCE.fullmatch(path)):
        return _OPENSOURCE_NAMES.get(match[1].lower(), match[1].lower())
    if host == "apache.org" and path.lower().removesuffix(".html").removesuffix(".txt") == "licenses/license-2.0":
        return "apache-2.0"
    return f"{host}/{path}".lower()
