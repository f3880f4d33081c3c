"""Signatures of tokens: which algorithms count, which keys fit them, and the check itself.

Sources: RFC 7515 (JWS), RFC 7517 (JWK), RFC 7518 and RFC 8037 (algorithms), RFC 8725 (best practice:
the algorithm belongs to the key, never to the token).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact
from joserfc.util import urlsafe_b64decode

SigningKey = RSAKey | ECKey | OKPKey

_NAMES = ("RS256", "RS512", "ES256", "ES384", "EdDSA")
ALGORITHMS: Mapping[str, JWSAlgModel] = {name: JWSRegistry.algorithms[name] for name in _NAMES}
"""The accepted algorithms. No ``none``, and no HMAC: with a shared secret a verifier could sign."""

MAX_KEYS = 64
"""How many keys of one issuer are looked at."""

_MIN_RSA_BITS = 2048
_MAX_RSA_BITS = 8192
_CURVES = {"P-256": "ES256", "P-384": "ES384", "Ed25519": "EdDSA"}


class _Limits(JWSRegistry):
    max_header_length = 4096  # certificate chains of some issuers outgrow the library's 512


_LIMITS = _Limits()


class MalformedTokenError(ValueError):
    """Not a compact JWS that can be looked at any further."""


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token taken apart and not yet believed."""

    signature: CompactSignature
    algorithm: str
    kid: str | None
    typ: str | None

    @property
    def payload(self) -> bytes:
        return self.signature.payload


def take_apart(token: str) -> SignedToken:
    """Read the header of a compact JWS (RFC 7515 section 7.1), believing nothing.

    Keys and addresses the header offers (``jwk``, ``jku``, ``x5u``, ``x5c``) are never looked at. Raises
    ``MalformedTokenError``, also for algorithms and critical extensions that are not accepted.
    """
    try:
        signature = extract_compact(token.encode("ascii"), registry=_LIMITS)
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise MalformedTokenError("the token is not a compact JWS") from error
    header: object = signature.protected
    if not isinstance(header, dict):
        raise MalformedTokenError("the header of the token is not an object")
    algorithm, kid, typ = header["alg"], header.get("kid"), header.get("typ")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise MalformedTokenError("the algorithm of the token is not accepted")
    if "crit" in header or "b64" in header:
        raise MalformedTokenError("the token uses an extension that is not accepted")
    if not isinstance(kid, str | None) or not isinstance(typ, str | None):
        raise MalformedTokenError("the header of the token has a member of the wrong type")
    return SignedToken(signature, algorithm, kid, typ)


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key and the algorithms it may be used with."""

    key: SigningKey
    kid: str | None
    algorithms: frozenset[str]

    def verifies(self, token: SignedToken) -> bool:
        """Whether ``token`` was signed with this key's private half."""
        if token.algorithm not in self.algorithms:
            return False
        segments = token.signature.segments
        try:
            signature = urlsafe_b64decode(segments["signature"])
        except (ValueError, TypeError):
            return False
        return ALGORITHMS[token.algorithm].verify(
            segments["header"] + b"." + segments["payload"], signature, self.key
        )


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The usable keys of one issuer."""

    keys: tuple[VerificationKey, ...] = ()

    def named(self, kid: str | None) -> list[VerificationKey]:
        """The keys a token may have been signed with: a token without ``kid`` may use any."""
        return [key for key in self.keys if kid is None or key.kid == kid]


def key_ring(document: object) -> KeyRing:
    """The usable keys of a JWK set (RFC 7517 section 5); members that cannot be used are passed over.

    Raises ``ValueError`` when the document is no JWK set or holds no usable key at all.
    """
    members = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(members, list):
        raise ValueError("not a JWK set")  # noqa: TRY004 - what is wrong is the document, not the call
    keys = tuple(_usable(members[:MAX_KEYS]))
    if not keys:
        raise ValueError("the JWK set has no key that can verify a signature")
    return KeyRing(keys)


def _usable(members: list[Any]) -> Iterator[VerificationKey]:
    for member in members:
        if not isinstance(member, dict) or member.get("kty") not in ("RSA", "EC", "OKP"):
            continue
        if member.get("use", "sig") != "sig" or "verify" not in (member.get("key_ops") or ["verify"]):
            continue
        try:
            # only the numbers that make the key: other members of foreign sets need not be valid
            numbers = {name: member[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in member}
            if not _fitting_size(numbers):
                continue
            key = JWKRegistry.import_key(numbers)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm):
            continue  # RFC 7517 section 5: unknown or broken keys of a set are ignored
        algorithms = _algorithms(key)
        named = "EdDSA" if member.get("alg") == "Ed25519" else member.get("alg")
        if named is not None:
            algorithms &= {named} if isinstance(named, str) else set()
        kid = member.get("kid")
        if algorithms and isinstance(key, SigningKey):
            yield VerificationKey(key, kid if isinstance(kid, str) else None, frozenset(algorithms))


def _algorithms(key: object) -> set[str]:
    if isinstance(key, RSAKey):
        return {"RS256", "RS512"}
    if isinstance(key, ECKey | OKPKey):
        return {_CURVES[key.curve_name]} if key.curve_name in _CURVES else set()
    return set()


def _fitting_size(member: Mapping[str, Any]) -> bool:
    """Whether a key is neither so short that it can be broken nor so long that checking is an attack."""
    if member["kty"] != "RSA":
        return True
    modulus = int.from_bytes(urlsafe_b64decode(member["n"].encode()))
    return _MIN_RSA_BITS <= modulus.bit_length() <= _MAX_RSA_BITS
