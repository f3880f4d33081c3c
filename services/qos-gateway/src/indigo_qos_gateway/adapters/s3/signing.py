"""Signatures of requests to S3.

Source: AWS Signature Version 4, "Authenticating Requests: Using the Authorization Header"; S3 escapes a path once.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlsplit

EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key and its secret."""

    access: str
    secret: str


def escaped(text: str, *, safe: str = "") -> str:
    """Everything but the unreserved characters of RFC 3986 escaped."""
    return quote(text, safe=safe + "-._~")


def query(parameters: Mapping[str, str]) -> str:
    """A query string in the order it is signed in."""
    return "&".join(f"{escaped(name)}={escaped(parameters[name])}" for name in sorted(parameters))


def signed(
    keys: Keys, region: str, now: datetime, method: str, url: str, headers: Mapping[str, str], payload: str
) -> dict[str, str]:
    """The ``headers`` with those that authenticate the request; ``payload`` is SHA-256 of the body in hexadecimal.

    ``url`` has its path and query escaped as ``escaped`` and ``query`` do.
    """
    parts = urlsplit(url)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    sent = {name.lower(): " ".join(value.split()) for name, value in headers.items()} | {
        "host": parts.netloc,
        "x-amz-content-sha256": payload,
        "x-amz-date": stamp,
    }
    names = ";".join(sorted(sent))
    canonical = "\n".join(
        [
            method,
            parts.path or "/",
            parts.query,
            *(f"{name}:{sent[name]}" for name in sorted(sent)),
            "",
            names,
            payload,
        ]
    )
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + keys.secret).encode()
    for each in scope.split("/"):
        key = _hmac(key, each)
    signature = _hmac(key, text).hex()
    return sent | {
        "authorization": f"AWS4-HMAC-SHA256 Credential={keys.access}/{scope},"
        f" SignedHeaders={names}, Signature={signature}"
    }


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
