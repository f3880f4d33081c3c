import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from indigo_kernel.auth import tokens
from indigo_kernel.auth.issuers import TrustedIssuer
from indigo_kernel.auth.signatures import key_ring
from indigo_kernel.auth.tokens import ANY_AUDIENCE, MAX_TOKEN_BYTES, InvalidToken, TokenVerifier
from indigo_kernel.clock import ManualClock
from joserfc.jwk import ECKey

AUDIENCES = ["indigo", "https://dmp.example"]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(header: dict[str, Any], claims: Any, sign: Any = lambda text: b"") -> str:
    text = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{text}.{b64(sign(text.encode()))}"


async def refused(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        await verifier.verify(token)
    challenge = caught.value.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="invalid_token", error_description="')
    assert challenge.isascii()
    return caught.value.detail


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "ES256", "ES384", "EdDSA"])
async def test_every_accepted_algorithm(algorithm: str, signers: dict[str, Any], clock: ManualClock) -> None:
    signer = signers[algorithm]
    jwks = {"keys": [each.public for each in signers.values()]}
    verifier = TokenVerifier([TrustedIssuer(signer.issuer, jwks=jwks)], AUDIENCES, clock)
    token = signer.token(scope="dmp:write pid:mint", name="Ada", **{"wlcg.groups": ["/lifewatch"]})
    who = await verifier.verify(token)
    assert (who.iss, who.sub, who.via, who.name) == (signer.issuer, "ada", "token", "Ada")
    assert who.scopes == {"dmp:write", "pid:mint"}
    assert who.groups == {"/lifewatch"}
    head, _, signature = token.rpartition(".")
    broken = ("A" if signature[0] != "A" else "B") + signature[1:]
    assert "signature" in await refused(verifier, f"{head}.{broken}")


@pytest.mark.parametrize("secret", ["pem", "der", "jwk"])
async def test_a_public_key_is_no_shared_secret(secret: str, signers: dict[str, Any], clock: ManualClock) -> None:
    signer = signers["RS256"]
    verifier = TokenVerifier([TrustedIssuer(signer.issuer, jwks={"keys": [signer.public]})], "indigo", clock)
    material = {
        "pem": signer.key.as_pem(private=False),
        "der": signer.key.as_der(private=False),
        "jwk": json.dumps(signer.public).encode(),
    }[secret]
    for algorithm in ("HS256", "hs256", "HS512"):
        forged = compact(
            {"alg": algorithm, "kid": signer.key.kid},
            signer.claims(),
            lambda text: hmac.digest(material, text, hashlib.sha256),
        )
        assert "algorithm" in await refused(verifier, forged)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, 7, ["ES256"], "PS256", "ES512"])
async def test_other_algorithms_do_not_count(algorithm: Any, verifier: TokenVerifier, signer: Any) -> None:
    await refused(verifier, compact({"alg": algorithm, "kid": signer.key.kid}, signer.claims()))


async def test_a_key_is_used_with_its_own_algorithm_only(signers: dict[str, Any], clock: ManualClock) -> None:
    signer = signers["RS256"]
    verifier = TokenVerifier([TrustedIssuer(signer.issuer, jwks={"keys": [signer.public]})], "indigo", clock)
    other = type(signer)("RS512", signer.key, signer.issuer)  # the same key, another algorithm than it names
    assert "signature" in await refused(verifier, other.token())


async def test_keys_offered_by_the_token_are_not_looked_at(verifier: TokenVerifier, signer: Any) -> None:
    thief = type(signer)("ES256", ECKey.generate_key("P-256", auto_kid=True), signer.issuer)
    for header in (
        {"jwk": thief.public},
        {"jwk": thief.public, "kid": signer.key.kid},
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/cert"},
        {"kid": None},
        {"kid": signer.key.kid},
    ):
        assert "signature" in await refused(verifier, thief.token(header))


@pytest.mark.parametrize(
    "kid", ["", "../../../dev/null", "' OR 1=1 --", "\0", "x" * 2000, 7, ["a"], {"a": 1}, True]
)
async def test_a_strange_kid_finds_no_key(kid: Any, verifier: TokenVerifier, signer: Any) -> None:
    await refused(verifier, signer.token({"kid": kid}))


async def test_a_token_without_kid_is_checked_with_the_keys_that_fit(verifier: TokenVerifier, signer: Any) -> None:
    assert (await verifier.verify(signer.token({"kid": None}))).sub == "ada"


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": ["b64"], "b64": False}, {"b64": False}])
async def test_extensions_are_not_understood(header: dict[str, Any], verifier: TokenVerifier, signer: Any) -> None:
    await refused(verifier, signer.token(header))


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "JWT", "jwt", None])
async def test_access_token_types(typ: str | None, verifier: TokenVerifier, signer: Any) -> None:
    assert (await verifier.verify(signer.token({"typ": typ}))).sub == "ada"


@pytest.mark.parametrize("typ", ["logout+jwt", "dpop+jwt", "secevent+jwt", ""])
async def test_other_types_are_no_access_tokens(typ: str, verifier: TokenVerifier, signer: Any) -> None:
    assert "access token" in await refused(verifier, signer.token({"typ": typ}))


async def test_time_has_a_minute_of_leeway(verifier: TokenVerifier, signer: Any, clock: ManualClock) -> None:
    now = int(clock.now().timestamp())
    await verifier.verify(signer.token(exp=now - 59))
    await verifier.verify(signer.token(nbf=now + 60))
    await verifier.verify(signer.token(iat=now + 60))
    assert "expired" in await refused(verifier, signer.token(exp=now - 60))
    assert "not valid yet" in await refused(verifier, signer.token(nbf=now + 61))
    assert "not valid yet" in await refused(verifier, signer.token(iat=now + 61))
    assert "exp" in await refused(verifier, signer.token(exp=None))


async def test_a_cached_token_still_expires(verifier: TokenVerifier, signer: Any, clock: ManualClock) -> None:
    token = signer.token(exp=int(clock.now().timestamp()) - 30)
    await verifier.verify(token)
    clock.advance(timedelta(seconds=29))
    await verifier.verify(token)
    clock.advance(timedelta(seconds=1))
    assert "expired" in await refused(verifier, token)


async def test_the_cache_is_bounded(verifier: TokenVerifier, signer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "CACHE_SIZE", 2)
    first, second, third = (signer.token(sub=name) for name in ("a", "b", "c"))
    kept = await verifier.verify(first)
    await verifier.verify(second)
    assert await verifier.verify(first) is kept  # a hit, which makes `second` the oldest
    await verifier.verify(third)
    assert await verifier.verify(first) is kept
    assert len(verifier._verified) == 2


@pytest.mark.parametrize("aud", ["indigo", ["x", "indigo"], ANY_AUDIENCE, [ANY_AUDIENCE]])
async def test_audiences_that_mean_this_service(aud: Any, verifier: TokenVerifier, signer: Any) -> None:
    assert (await verifier.verify(signer.token(aud=aud))).sub == "ada"


@pytest.mark.parametrize("aud", ["other", "Indigo", "", [], ["x"], None, 7, ["indigo", 7], {"indigo": 1}])
async def test_audiences_that_do_not(aud: Any, verifier: TokenVerifier, signer: Any) -> None:
    await refused(verifier, signer.token(aud=aud))


@pytest.mark.parametrize("suffix", ["/", " ", ".evil.example", "?"])
async def test_issuers_are_compared_letter_by_letter(suffix: str, verifier: TokenVerifier, signer: Any) -> None:
    assert "not trusted" in await refused(verifier, signer.token(iss=signer.issuer + suffix))
    assert "not trusted" in await refused(verifier, signer.token(iss=None))
    assert "not trusted" in await refused(verifier, signer.token(iss=[signer.issuer]))


async def test_an_issuer_cannot_speak_for_another(signers: dict[str, Any], clock: ManualClock) -> None:
    ours, theirs = signers["ES256"], signers["ES384"]
    verifier = TokenVerifier(
        [
            TrustedIssuer(ours.issuer, jwks={"keys": [ours.public]}),
            TrustedIssuer("https://other.example", jwks={"keys": [theirs.public]}),
        ],
        "indigo",
        clock,
    )
    assert (await verifier.verify(theirs.token(iss="https://other.example"))).iss == "https://other.example"
    assert "signature" in await refused(verifier, theirs.token(iss=ours.issuer))
    assert "signature" in await refused(verifier, ours.token(iss="https://other.example"))


async def test_storage_scopes_need_a_path(verifier: TokenVerifier, signer: Any) -> None:
    who = await verifier.verify(signer.token(scope="storage.read:/a  storage.create:/b"))
    assert who.scopes == {"storage.read:/a", "storage.create:/b"}
    assert "storage" in await refused(verifier, signer.token(scope="openid storage.read"))
    assert "storage" in await refused(verifier, signer.token(scope="storage.read:/a/../b"))


@pytest.mark.parametrize(("version", "good"), [("1.0", True), ("1.3", True), ("2.0", False), (1.0, False)])
async def test_wlcg_version(version: Any, good: bool, verifier: TokenVerifier, signer: Any) -> None:
    token = signer.token(**{"wlcg.ver": version})
    if good:
        await verifier.verify(token)
    else:
        await refused(verifier, token)


async def test_a_large_token_is_not_looked_at(verifier: TokenVerifier, signer: Any) -> None:
    fits = signer.token(pad="x" * 11_000)
    assert len(fits) < MAX_TOKEN_BYTES
    await verifier.verify(fits)
    assert "too large" in await refused(verifier, signer.token(pad="x" * 13_000))
    assert "too large" in await refused(verifier, "." * 10_000_000)


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"[]", b"7", b'"x"', b"{", b"\xff\xfe", b"[" * 9000, b'{"exp":' + b"9" * 5000 + b"}",
     '{"iss":"x"}'.encode("utf-16")],
    ids=range(10),
)  # fmt: skip
async def test_payloads_that_are_no_claims(payload: bytes, verifier: TokenVerifier, signer: Any) -> None:
    await refused(verifier, signer.sign(payload))


@pytest.mark.parametrize(
    "token", ["", ".", "..", "...", "a.b.c", "é.é.é", "\ud800", "a" * 1000, "W10.e30.", "bnVsbA.e30.AA", "e30.e30.AA"]
)  # fmt: skip
async def test_texts_that_are_no_tokens(token: str, verifier: TokenVerifier) -> None:
    await refused(verifier, token)


@pytest.mark.parametrize("sub", ["", 7, None, ["ada"], "a\0b", "a\nb", "\ud800", "x" * 1025])
async def test_a_subject_must_be_storable_text(sub: Any, verifier: TokenVerifier, signer: Any) -> None:
    assert "sub" in await refused(verifier, signer.token(sub=sub))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = ["iss", "sub", "aud", "exp", "nbf", "iat", "scope", "wlcg.ver", "wlcg.groups", "groups", "name", "email",
         "eduperson_entitlement"]  # fmt: skip


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(changes=st.dictionaries(st.sampled_from(NAMES), JSON, min_size=1))
async def test_claims_of_any_type_are_judged(
    changes: dict[str, Any], verifier: TokenVerifier, signer: Any
) -> None:
    token = signer.sign(json.dumps(signer.claims() | changes).encode())
    try:
        who = await verifier.verify(token)
    except InvalidToken:
        return
    assert who.iss == signer.issuer
    assert who.sub.isprintable()
    who.sub.encode()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "x5c"]), JSON))
async def test_headers_of_any_type_are_judged(
    header: dict[str, Any], verifier: TokenVerifier, signer: Any
) -> None:
    try:
        who = await verifier.verify(signer.token(header))
    except InvalidToken:
        return
    assert who.sub == "ada"


def test_a_key_set_gives_up_unusable_members_only(signers: dict[str, Any]) -> None:
    good = signers["ES256"].public
    weak = {**RSA_1024, "kid": "weak"}
    unusable = [
        weak,
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {**signers["ES384"].public, "use": "enc"},
        {**signers["EdDSA"].public, "key_ops": ["sign"]},
        {**signers["RS256"].public, "alg": "PS256"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256"},
        {"kty": "RSA", "n": 7, "e": []},
        {"kty": ["RSA"]},
        "key",
        None,
    ]
    ring = key_ring({"keys": [*unusable, good]})
    assert [key.kid for key in ring.keys] == [good["kid"]]
    documents: list[object] = [{"keys": unusable}, {"keys": {}}, {}, [], None, "x"]
    for document in documents:
        with pytest.raises(ValueError, match="JWK set"):
            key_ring(document)


def test_an_ed25519_key_may_use_the_newer_name(signers: dict[str, Any]) -> None:
    ring = key_ring({"keys": [{**signers["EdDSA"].public, "alg": "Ed25519"}]})
    assert ring.keys[0].algorithms == {"EdDSA"}


def test_an_issuer_is_configured_once_and_in_full(signer: Any, clock: ManualClock) -> None:
    trusted = TrustedIssuer(signer.issuer, jwks={"keys": [signer.public]})
    with pytest.raises(ValueError, match="twice"):
        TokenVerifier([trusted, trusted], "indigo", clock)
    with pytest.raises(ValueError, match="HTTP client"):
        TokenVerifier([TrustedIssuer(signer.issuer)], "indigo", clock)


RSA_1024 = {
    "kty": "RSA",
    "e": "AQAB",
    "n": b64(((1 << 1023) | 0xABCDEF1234567891).to_bytes(128, "big")),
}


async def test_an_issuer_gives_no_scope_it_may_not_give(signers: dict[str, Any], clock: ManualClock) -> None:
    signer = signers["ES256"]
    limits = frozenset({"dmp:write", "storage.modify:/lifewatch"})
    issuer = TrustedIssuer(signer.issuer, jwks={"keys": [signer.public]}, scopes=limits)
    verifier = TokenVerifier([issuer], "indigo", clock)
    wanted = "dmp:write operator service qos:change storage.modify:/lifewatch/a storage.modify:/ storage.read:/lifewatch"
    who = await verifier.verify(signer.token(scope=wanted))
    assert who.scopes == {"dmp:write", "storage.modify:/lifewatch/a"}
