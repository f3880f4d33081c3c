import asyncio
import socket
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import Response
from fastapi.responses import JSONResponse, RedirectResponse
from indigo_kernel.auth import issuers
from indigo_kernel.auth.issuers import FRESH_FOR, REFRESH_AT_MOST_EVERY, RETRY_EVERY, STALE_FOR, TrustedIssuer
from indigo_kernel.auth.tokens import InvalidToken, TokenVerifier
from indigo_kernel.clock import ManualClock
from indigo_kernel.problems import Unavailable

DISCOVERY = ".well-known/openid-configuration"


@pytest.fixture
def remote(site: Any, clock: ManualClock, http: httpx.AsyncClient) -> TokenVerifier:
    return TokenVerifier([TrustedIssuer(site.url)], "indigo", clock, http)


async def test_keys_are_discovered_once(site: Any, remote: TokenVerifier) -> None:
    signer = site.new_signer()
    tokens = [signer.token(sub=str(number)) for number in range(20)]
    who = await asyncio.gather(*map(remote.verify, tokens))  # all at once, before there is any key
    assert [each.sub for each in who] == [str(number) for number in range(20)]
    assert site.hits == {DISCOVERY: 1, "keys": 1}


async def test_a_new_key_is_found_when_a_token_names_it(
    site: Any, remote: TokenVerifier, clock: ManualClock
) -> None:
    await remote.verify(site.new_signer().token())
    rotated = site.new_signer()
    clock.advance(REFRESH_AT_MOST_EVERY)
    assert (await remote.verify(rotated.token())).sub == "ada"
    assert site.hits["keys"] == 2


async def test_invented_key_ids_cause_one_fetch_a_minute(
    site: Any, remote: TokenVerifier, clock: ManualClock
) -> None:
    signer = site.new_signer()
    await remote.verify(signer.token())
    for minute in range(1, 4):
        clock.advance(REFRESH_AT_MOST_EVERY)
        for number in range(10):
            with pytest.raises(InvalidToken):
                await remote.verify(signer.token({"kid": f"invented-{minute}-{number}"}))
        assert site.hits["keys"] == 1 + minute


async def test_a_withdrawn_key_stops_counting(site: Any, remote: TokenVerifier, clock: ManualClock) -> None:
    old = site.new_signer()
    site.new_signer()
    await remote.verify(old.token(sub="first"))
    site.signers.remove(old)
    clock.advance(FRESH_FOR)
    with pytest.raises(InvalidToken, match="signature"):
        await remote.verify(old.token(sub="second"))


async def test_known_keys_verify_while_the_issuer_is_down(
    site: Any, remote: TokenVerifier, clock: ManualClock
) -> None:
    signer = site.new_signer()
    later = int((clock.now() + timedelta(days=3)).timestamp())
    await remote.verify(signer.token(exp=later))
    await site.stop()
    clock.advance(FRESH_FOR)
    assert (await remote.verify(signer.token(exp=later, sub="during"))).sub == "during"
    with pytest.raises(Unavailable):  # it may be a new key: not knowing is no refusal
        await remote.verify(signer.token({"kid": "unknown"}, exp=later))
    clock.advance(STALE_FOR - FRESH_FOR)
    with pytest.raises(Unavailable):  # by now it may have been withdrawn long ago
        await remote.verify(signer.token(exp=later, sub="late"))
    await site.start()
    clock.advance(RETRY_EVERY)
    assert (await remote.verify(signer.token(exp=later, sub="after"))).sub == "after"


async def test_an_issuer_that_was_never_there_is_tried_again_soon(
    site: Any, remote: TokenVerifier, clock: ManualClock
) -> None:
    signer = site.new_signer()
    await site.stop()
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            await remote.verify(signer.token())
        assert caught.value.status == 503
    await site.start()
    clock.advance(RETRY_EVERY)
    assert (await remote.verify(signer.token())).sub == "ada"


async def test_requests_with_known_keys_do_not_wait_for_a_silent_issuer(
    site: Any, clock: ManualClock, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuers, "FETCH_TIMEOUT_SECONDS", 0.2)
    signer = site.new_signer()
    remote = TokenVerifier([TrustedIssuer(site.url)], "indigo", clock, http)
    later = int((clock.now() + timedelta(days=1)).timestamp())
    await remote.verify(signer.token(exp=later))
    await site.stop()
    with socket.create_server(("127.0.0.1", int(site.url.rpartition(":")[2]))):  # accepts and says nothing
        clock.advance(FRESH_FOR)
        waits = asyncio.create_task(remote.verify(signer.token(exp=later, sub="fetches")))
        await asyncio.sleep(0)
        passes = await remote.verify(signer.token(exp=later, sub="passes"))
        assert passes.sub == "passes"
        assert not waits.done()
        assert (await waits).sub == "fetches"


async def test_a_request_that_goes_away_while_it_fetches_spoils_nothing(
    site: Any, remote: TokenVerifier, clock: ManualClock
) -> None:
    signer = site.new_signer()
    leaves = asyncio.create_task(remote.verify(signer.token()))
    await asyncio.sleep(0)
    leaves.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaves
    with pytest.raises(Unavailable):
        await remote.verify(signer.token())
    clock.advance(RETRY_EVERY)
    assert (await remote.verify(signer.token())).sub == "ada"


async def test_no_untrusted_issuer_is_ever_asked(site: Any, remote: TokenVerifier) -> None:
    signer = site.new_signer()
    for issuer in (f"{site.url}/", f"{site.url}/other", f"{site.url}@evil.example"):
        with pytest.raises(InvalidToken, match="not trusted"):
            await remote.verify(signer.token(iss=issuer))
    assert not site.hits


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"issuer": "https://other.example", "jwks_uri": "{url}/keys"}),
        JSONResponse({"issuer": "{url}", "jwks_uri": "http://127.0.0.1:1/latest/meta-data"}),
        JSONResponse({"issuer": "{url}", "jwks_uri": "file:///etc/passwd"}),
        JSONResponse({"issuer": "{url}", "jwks_uri": ["{url}/keys"]}),
        JSONResponse({"issuer": "{url}"}),
        JSONResponse(["{url}"]),
        Response("<html>", media_type="text/html"),
        Response("[" * 100_000),
        Response('{"pad":"' + "x" * issuers.MAX_DOCUMENT_BYTES + '"}'),
        Response(status_code=500),
        RedirectResponse("{url}/elsewhere"),
    ],
    ids=range(11),
)
async def test_a_bad_discovery_document_gives_no_keys(answer: Response, site: Any, remote: TokenVerifier) -> None:
    body = bytes(answer.body).replace(b"{url}", site.url.encode())
    site.answers[DISCOVERY] = Response(body, answer.status_code, media_type=answer.media_type)
    location = answer.headers.get("location")
    if location is not None:
        site.answers[DISCOVERY].headers["location"] = f"{site.url}/elsewhere"
    with pytest.raises(Unavailable):
        await remote.verify(site.new_signer().token())
    assert site.hits == {DISCOVERY: 1}


@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": [{"kty": "oct", "k": "AAAA"}]}])
async def test_a_bad_key_set_does_not_replace_a_good_one(
    keys: Any, site: Any, remote: TokenVerifier, clock: ManualClock
) -> None:
    signer = site.new_signer()
    await remote.verify(signer.token())
    site.answers["keys"] = JSONResponse(keys)
    clock.advance(FRESH_FOR)
    assert (await remote.verify(signer.token(sub="still"))).sub == "still"
    assert site.hits["keys"] == 2


async def test_a_configured_jwks_uri_needs_no_discovery(
    site: Any, clock: ManualClock, http: httpx.AsyncClient
) -> None:
    signer = site.new_signer()
    trusted = TrustedIssuer("https://issuer.example", jwks_uri=f"{site.url}/keys")
    verifier = TokenVerifier([trusted], "indigo", clock, http)
    assert (await verifier.verify(signer.token(iss="https://issuer.example"))).sub == "ada"
    assert site.hits == {"keys": 1}


async def test_the_discovery_document_does_not_point_elsewhere(
    site: Any, other_site: Any, remote: TokenVerifier
) -> None:
    signer = other_site.new_signer()  # keys that would do, were they asked for
    site.answers[DISCOVERY] = JSONResponse({"issuer": site.url, "jwks_uri": f"{other_site.url}/keys"})
    with pytest.raises(Unavailable):
        await remote.verify(signer.token(iss=site.url))
    assert not other_site.hits
