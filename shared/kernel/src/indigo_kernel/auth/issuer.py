"""The suite's own issuer: signs tokens for the standalone deployment, for development and for tests.

It knows no passwords and no people: who may run it or read its directory may be anybody. A cluster uses
a real issuer. Sources: RFC 9068 (access tokens), RFC 8414 (metadata), RFC 7517 (keys).
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from indigo_kernel.auth.client import IssuedToken, TokenSource
from indigo_kernel.auth.issuers import TrustedIssuer
from indigo_kernel.auth.tokens import ANY_AUDIENCE
from indigo_kernel.clock import Clock, SystemClock
from indigo_kernel.ids import new_id

ALGORITHM = "ES256"
DEFAULT_TTL = timedelta(hours=1)
_KEY_FILE = "issuer-key.json"


@dataclass(frozen=True, slots=True)
class Client:
    """A service that may ask for tokens in its own name: its secret, and the scopes it may ask for."""

    secret: str
    scopes: frozenset[str]


class DevIssuer:
    """An issuer with one ES256 key, kept in ``directory`` and readable by its owner alone.

    Several processes may share the directory: the first one makes the key. ``issuer_url`` is the ``iss``
    of the tokens, and where ``issuer_routes`` are mounted. ``clients`` are the services known by id.
    """

    def __init__(
        self,
        directory: Path,
        issuer_url: str,
        *,
        clients: Mapping[str, Client] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Raises ``PermissionError`` when others can read the key, ``ValueError`` when it is no key or a
        client has no secret.
        """
        if any(not client.secret for client in (clients or {}).values()):
            raise ValueError("a client needs a secret")
        self.issuer_url = issuer_url
        self.clients = dict(clients or {})
        self._clock = clock or SystemClock()
        self._key = _load_or_make(directory / _KEY_FILE)

    def jwks(self) -> dict[str, Any]:
        """The public half of the key as a JWK set."""
        return {"keys": [self._key.as_dict(private=False, use="sig", alg=ALGORITHM)]}

    def trusted(self) -> TrustedIssuer:
        """What a verifier in the same deployment trusts: no HTTP is needed."""
        return TrustedIssuer(self.issuer_url, jwks=self.jwks())

    def token(
        self,
        subject: str,
        scopes: Collection[str],
        groups: Collection[str] = (),
        *,
        audience: str = ANY_AUDIENCE,
        ttl: timedelta = DEFAULT_TTL,
        name: str | None = None,
        email: str | None = None,
    ) -> str:
        """A signed access token for ``subject`` that counts from now for ``ttl``."""
        now = int(self._clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer_url,
            "sub": subject,
            "aud": audience,
            "iat": now,
            "nbf": now,
            "exp": now + int(ttl.total_seconds()),
            "jti": new_id(),
            "scope": " ".join(sorted(scopes)),
            "wlcg.ver": "1.0",
            "wlcg.groups": sorted(groups),
        }
        claims |= {claim: text for claim, text in (("name", name), ("email", email)) if text is not None}
        header = {"alg": ALGORITHM, "kid": self._key.kid, "typ": "at+jwt"}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])

    def source(self, subject: str, scopes: Collection[str], *, audience: str) -> TokenSource:
        """A source for ``ServiceTokens`` in the issuer's own process."""

        async def issue() -> IssuedToken:
            return IssuedToken(self.token(subject, scopes, audience=audience), DEFAULT_TTL)

        return issue


def _load_or_make(path: Path) -> ECKey:
    if not path.exists():
        _make(path)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise PermissionError(f"others can read the issuer's key; run: chmod 600 {path}")
    unusable = f"{path} does not hold a private P-256 key; remove it and a new one is made"
    try:
        key = ECKey.import_key(json.loads(path.read_bytes()))
    except (JoseError, ValueError, TypeError) as error:
        raise ValueError(unusable) from error
    if key.curve_name != "P-256" or not key.is_private:
        raise ValueError(unusable)
    key.ensure_kid()
    return key


def _make(path: Path) -> None:
    """Write a new key so that it appears whole, and only if no other process was faster."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ECKey.generate_key("P-256", auto_kid=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".issuer-key-")  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(key.as_dict(private=True), file)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # the other process's key is as good
            os.link(draft, path)
    finally:
        Path(draft).unlink()
