import asyncio
import contextlib
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from indigo_kernel.auth.client import IssuedToken, ServiceTokens, client_credentials
from indigo_kernel.auth.issuer import Client, DevIssuer
from indigo_kernel.auth.issuer_routes import issuer_routes
from indigo_kernel.auth.issuers import TrustedIssuer
from indigo_kernel.auth.tokens import InvalidToken, TokenVerifier
from indigo_kernel.clock import ManualClock
from indigo_kernel.problems import Unavailable, Upstream

URL = "http://service.example/issuer"
CLIENTS = {"dmp": Client("s3cret:with %", frozenset({"service", "repository:write"}))}


@pytest.fixture
def issuer(tmp_path: Path, clock: ManualClock) -> DevIssuer:
    return DevIssuer(tmp_path / "keys", URL, clients=CLIENTS, clock=clock)


@pytest.fixture
def mounted(app: FastAPI, issuer: DevIssuer) -> None:
    app.include_router(issuer_routes(issuer), prefix="/issuer")


async def test_its_tokens_are_accepted(issuer: DevIssuer, clock: ManualClock) -> None:
    verifier = TokenVerifier([issuer.trusted()], "dmp", clock)
    token = issuer.token("ada", {"dmp:write"}, {"/lifewatch"}, audience="dmp", name="Ada", email="a@b.eu")
    who = await verifier.verify(token)
    assert (who.iss, who.sub, who.name, who.email) == (URL, "ada", "Ada", "a@b.eu")
    assert (set(who.scopes), set(who.groups)) == ({"dmp:write"}, {"/lifewatch"})
    with pytest.raises(InvalidToken):
        await verifier.verify(issuer.token("ada", (), audience="pid"))
    clock.advance(timedelta(hours=1, seconds=60))
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_the_key_outlives_the_process(issuer: DevIssuer, tmp_path: Path, clock: ManualClock) -> None:
    again = DevIssuer(tmp_path / "keys", URL, clock=clock)
    assert again.jwks() == issuer.jwks()
    assert "d" not in issuer.jwks()["keys"][0]
    files = list((tmp_path / "keys").iterdir())
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600]


def test_processes_that_start_together_agree_on_a_key(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, indigo_kernel.auth.issuer as i; sys.stdin.read(1);"
        f"print(i.DevIssuer(pathlib.Path(sys.argv[1]), {URL!r}).jwks())"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    with contextlib.ExitStack() as stack:
        for process in processes:
            stack.enter_context(process)
        for process in processes:
            process.stdin.write(".")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        keys = {process.communicate(timeout=60)[0] for process in processes}
    assert len(keys) == 1
    assert "P-256" in keys.pop()
    assert [file.name for file in tmp_path.iterdir()] == ["issuer-key.json"]


def test_a_key_others_can_read_is_refused(issuer: DevIssuer, tmp_path: Path) -> None:
    path = tmp_path / "keys" / "issuer-key.json"
    path.chmod(0o640)
    with pytest.raises(PermissionError, match="chmod 600"):
        DevIssuer(tmp_path / "keys", URL)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kty":"oct","k":"AA"}', '{"kty":"EC","crv":"P-256"}'])
def test_a_file_that_is_no_key_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "issuer-key.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ValueError, match="P-256"):
        DevIssuer(tmp_path, URL)


def test_a_client_has_a_secret(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="secret"):
        DevIssuer(tmp_path, URL, clients={"dmp": Client("", frozenset())})


@pytest.mark.usefixtures("mounted")
async def test_a_service_gets_a_token_and_another_believes_it(
    browser: httpx.AsyncClient, clock: ManualClock
) -> None:
    source = client_credentials(
        browser,
        f"{URL}/token",
        client_id="dmp",
        client_secret=CLIENTS["dmp"].secret,
        scopes={"service"},
        audience="repository",
    )
    tokens = ServiceTokens(source, clock)
    verifier = TokenVerifier([TrustedIssuer(URL)], "repository", clock, browser)
    who = await verifier.verify(await tokens.token())
    assert (who.sub, set(who.scopes)) == ("dmp", {"service"})


@pytest.mark.usefixtures("mounted")
@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "pid"}, 401, "invalid_client"),
        ({"client_id": "", "client_secret": ""}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "operator"}, 400, "invalid_scope"),
        ({"scope": ["service", "service"]}, 400, "invalid_request"),
    ],
)
async def test_a_token_request_is_refused_in_the_standard_way(
    form: dict[str, Any], status: int, error: str, browser: httpx.AsyncClient
) -> None:
    good = {"grant_type": "client_credentials", "client_id": "dmp", "client_secret": CLIENTS["dmp"].secret}
    accepted = await browser.post(f"{URL}/token", data=good)
    assert accepted.status_code == 200
    assert accepted.headers["cache-control"] == "no-store"
    assert accepted.json()["scope"] == "repository:write service"
    answer = await browser.post(f"{URL}/token", data=good | form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert ("www-authenticate" in answer.headers) is (status == 401)


@pytest.mark.usefixtures("mounted")
@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic /w==", "Bearer x", ""])
async def test_a_broken_authorization_header_is_no_client(header: str, browser: httpx.AsyncClient) -> None:
    answer = await browser.post(
        f"{URL}/token", data={"grant_type": "client_credentials"}, headers={"authorization": header}
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.usefixtures("mounted")
async def test_a_body_that_is_no_form_is_refused(browser: httpx.AsyncClient) -> None:
    assert (await browser.post(f"{URL}/token", content=b"\xff=%ff")).status_code == 400
    assert (await browser.post(f"{URL}/token", content=b"a=" + b"x" * 20_000)).status_code == 413


class Issuing:
    """A source that counts how often it is asked."""

    def __init__(self, lifetime: timedelta) -> None:
        self.lifetime = lifetime
        self.asked = 0

    async def __call__(self) -> IssuedToken:
        self.asked += 1
        await asyncio.sleep(0)
        return IssuedToken(f"token-{self.asked}", self.lifetime)


@pytest.mark.parametrize(("lifetime", "kept"), [(3600, 3539), (40, 29)])
async def test_a_token_is_used_until_shortly_before_its_end(lifetime: int, kept: int, clock: ManualClock) -> None:
    source = Issuing(timedelta(seconds=lifetime))
    tokens = ServiceTokens(source, clock)
    assert set(await asyncio.gather(*(tokens.token() for _ in range(10)))) == {"token-1"}
    clock.advance(timedelta(seconds=kept))
    assert await tokens.token() == "token-1"
    clock.advance(timedelta(seconds=1))
    assert await tokens.token() == "token-2"


async def test_a_refused_token_is_not_used_again(
    app: FastAPI, browser: httpx.AsyncClient, clock: ManualClock
) -> None:
    from fastapi import Request, Response

    seen = []

    @app.get("/")
    async def answer(request: Request) -> Response:
        seen.append(request.headers["authorization"])
        return Response(status_code=401 if len(seen) == 1 else 204)

    auth = ServiceTokens(Issuing(timedelta(hours=1)), clock)
    statuses = [(await browser.get("/", auth=auth)).status_code for _ in range(3)]
    assert statuses == [401, 204, 204]
    assert seen == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]


async def test_the_issuer_in_the_same_process_is_a_source(issuer: DevIssuer, clock: ManualClock) -> None:
    tokens = ServiceTokens(issuer.source("dmp", {"service"}, audience="pid"), clock)
    who = await TokenVerifier([issuer.trusted()], "pid", clock).verify(await tokens.token())
    assert (who.sub, set(who.scopes)) == ("dmp", {"service"})


@pytest.mark.parametrize(
    ("path", "problem"), [("/missing", Upstream), ("/html", Upstream), ("/down", Unavailable), ("/mac", Upstream)]
)
async def test_a_token_endpoint_that_gives_no_token(
    path: str, problem: type[Exception], app: FastAPI, browser: httpx.AsyncClient
) -> None:
    from fastapi import Response
    from fastapi.responses import JSONResponse

    app.add_api_route("/html", lambda: Response("<html>"), methods=["POST"])
    app.add_api_route("/down", lambda: Response(status_code=503), methods=["POST"])
    app.add_api_route("/mac", lambda: JSONResponse({"access_token": "x", "token_type": "mac"}), methods=["POST"])
    source = client_credentials(browser, path, client_id="dmp", client_secret="x", scopes=(), audience="pid")
    with pytest.raises(problem):
        await source()


async def test_a_token_endpoint_that_is_not_there(site: Any, http: httpx.AsyncClient) -> None:
    await site.stop()
    source = client_credentials(
        http, f"{site.url}/token", client_id="dmp", client_secret="x", scopes=(), audience="pid"
    )
    with pytest.raises(Unavailable):
        await source()
