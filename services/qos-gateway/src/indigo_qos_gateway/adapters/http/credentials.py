"""Credentials that are files: read at every request, so that a renewed token is used without a restart."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import httpx
from indigo_kernel.problems import Unavailable


def secret(path: Path) -> str:
    """The secret in a file, without line ends around it. Raises ``Unavailable`` when it cannot be used."""
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise Unavailable(f"The secret file {path.name} cannot be read") from None
    if not text:
        raise Unavailable(f"The secret file {path.name} is empty")
    if not (text.isascii() and text.isprintable()):
        # An HTTP library would tell the whole value in its error.
        raise Unavailable(f"The secret file {path.name} holds more than one line of ASCII")
    return text


class HeaderAuth(httpx.Auth):
    """Sends a secret in a header, behind ``prefix``."""

    def __init__(self, path: Path, header: str = "authorization", prefix: str = "Bearer ") -> None:
        self._path = path
        self._header = header
        self._prefix = prefix

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers[self._header] = self._prefix + secret(self._path)
        yield request
