"""Where an identifier may lead. The resolver redirects anybody there, so every target is checked on its way in."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from indigo_contracts.problems import FieldError
from indigo_kernel.problems import InvalidBody

MAX_LENGTH = 2048

_URI = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def check_target(url: str, *, allowed_hosts: Collection[str], ours: bool) -> str:
    """Return ``url`` when the resolver may redirect to it, exactly as it came.

    It is an absolute ``http`` or ``https`` URI (RFC 3986, so percent-encoded) with a host, without
    credentials, and not one of ``ours``: the address of a name that is resolved here. With ``allowed_hosts``
    the host is one of them or, for an entry ``*.x``, below ``x``. Raises ``InvalidBody`` with a pointer to
    ``/target``.
    """
    if len(url) > MAX_LENGTH:
        raise _refused(f"A target has at most {MAX_LENGTH} characters", "too_long")
    if not _URI.fullmatch(url) or _BAD_ESCAPE.search(url):
        raise _refused("A target is a URI; other characters are percent-encoded (RFC 3986)", "url")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise _refused(f"A target is a URI: {error}", "url") from error
    if parts.scheme not in {"http", "https"}:
        raise _refused("A target begins with http:// or https://", "scheme")
    if not host:
        raise _refused("A target names a host", "host")
    if "@" in parts.netloc:
        raise _refused("A target has no user name or password in it", "credentials")
    if allowed_hosts and not any(_matches(host, allowed) for allowed in allowed_hosts):
        raise _refused(f"Targets at {host} are not allowed here", "host")
    if ours:
        raise _refused("A target is not a name that is resolved here: it could lead in circles", "loop")
    return url


def _matches(host: str, allowed: str) -> bool:
    allowed = allowed.lower()
    if allowed.startswith("*."):
        return host.endswith(allowed[1:])
    return host == allowed


def _refused(detail: str, code: str) -> InvalidBody:
    return InvalidBody(detail, errors=[FieldError(pointer="/target", detail=detail, code=code)])
