"""Checksums a client sends along with a file, in whichever form it knows.

Sources: RFC 9530 (``Repr-Digest``, ``Content-Digest``), RFC 3230 with RFC 5843 (``Digest``), RFC 1864
(``Content-MD5``).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from indigo_kernel.problems import BadRequest, ChecksumMismatch

_SIZES = {"md5": 16, "sha256": 32, "sha512": 64}
_NAMES = {"md5": "md5", "sha-256": "sha256", "sha-512": "sha512", "sha256": "sha256", "sha512": "sha512"}
_FIELD = re.compile(r"\s*([a-z0-9-]+)\s*=\s*(:?)([A-Za-z0-9+/=]*)(:?)\s*(?:;[^,]*)?", re.IGNORECASE)


def announced_checksums(headers: Mapping[str, str], parameter: str | None) -> dict[str, str]:
    """Algorithm (``md5``, ``sha256``, ``sha512``) → hex digest the content must have.

    ``parameter`` is ``<algorithm>:<hex>``. Algorithms that are not known are left out of digest fields, as the
    standards say. Raises ``BadRequest`` for what is malformed, ``ChecksumMismatch`` when two contradict.
    """
    found: list[tuple[str, str]] = []
    if parameter is not None:
        found.append(_parameter(parameter))
    if "content-md5" in headers:
        found.append(("md5", _hex("md5", headers["content-md5"].strip(), "Content-MD5")))
    for name in ("repr-digest", "content-digest", "digest"):
        if name in headers:
            found.extend(_field(name, headers[name]))
    result: dict[str, str] = {}
    for algorithm, digest in found:
        if result.setdefault(algorithm, digest) != digest:
            raise ChecksumMismatch(f"Two different values of {algorithm} were announced", algorithm=algorithm)
    return result


def _parameter(value: str) -> tuple[str, str]:
    algorithm, _, digest = value.partition(":")
    digest = digest.lower()
    size = _SIZES.get(algorithm)
    if size is None or not re.fullmatch(rf"[0-9a-f]{{{2 * size}}}", digest):
        raise BadRequest("checksum takes md5:, sha256: or sha512: and the hex digest")
    return algorithm, digest


def _field(name: str, value: str) -> list[tuple[str, str]]:
    found = []
    for part in value.split(","):
        match = _FIELD.fullmatch(part)
        # RFC 9530 writes byte sequences between colons, RFC 3230 bare.
        if match is None or (match[2] != match[4]) or (name != "digest" and not match[2]):
            raise BadRequest(f"{name} is malformed")
        algorithm = _NAMES.get(match[1].lower())
        if algorithm is not None:
            found.append((algorithm, _hex(algorithm, match[3], name)))
    return found


def _hex(algorithm: str, encoded: str, where: str) -> str:
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise BadRequest(f"{where} is not base64") from error
    if len(raw) != _SIZES[algorithm]:
        raise BadRequest(f"{where} has {len(raw)} bytes, {algorithm} has {_SIZES[algorithm]}")
    return raw.hex()
