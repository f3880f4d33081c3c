from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI
from indigo_kernel.auth.dependency import Authenticator, Who, require
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.http import openapi


@pytest.fixture(autouse=True)
def routes(app: FastAPI, verifier: TokenVerifier) -> None:
    app.state.authenticator = Authenticator(verifier)

    @app.get("/whoami")
    async def whoami(who: Who) -> dict[str, Any]:
        return {"sub": who.sub, "via": who.via}

    @app.get("/publish")
    async def publish(who: Annotated[Principal, Depends(require("dmp:publish"))]) -> dict[str, Any]:
        return {"sub": who.sub}


async def test_no_credential_is_anonymous(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/whoami")).json() == {"sub": "", "via": "anonymous"}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER ", " Bearer"])
async def test_a_token_names_the_principal(scheme: str, browser: httpx.AsyncClient, signer: Any) -> None:
    answer = await browser.get("/whoami", headers={"authorization": f"{scheme} {signer.token()}"})
    assert answer.json() == {"sub": "ada", "via": "token"}


async def test_a_route_asks_for_a_scope(browser: httpx.AsyncClient, signer: Any) -> None:
    async def status(**claims: Any) -> int:
        header = {"authorization": f"Bearer {signer.token(**claims)}"}
        return (await browser.get("/publish", headers=header)).status_code

    assert await status(scope="dmp:publish") == 200
    assert await status(scope="dmp:publishing dmp:write") == 403
    assert await status() == 403
    assert (await browser.get("/publish")).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status", "challenge"),
    [
        ([("authorization", "Bearer a.b.c")], 401, 'Bearer error="invalid_token"'),
        ([("authorization", "Bearer")], 401, 'Bearer error="invalid_token"'),
        ([("authorization", "Bearer indigo_AAAAAAAA_" + "A" * 40)], 401, 'Bearer error="invalid_token"'),
        ([("x-api-key", "")], 401, 'Bearer error="invalid_token"'),
        ([("authorization", "Basic YTpi")], 401, "Bearer"),
        ([("authorization", "")], 401, "Bearer"),
        ([("authorization", "Bearer a"), ("authorization", "Bearer a")], 400, 'Bearer error="invalid_request"'),
        ([("authorization", "Bearer a"), ("x-api-key", "a")], 400, 'Bearer error="invalid_request"'),
        ([("x-api-key", "a"), ("x-api-key", "a")], 400, 'Bearer error="invalid_request"'),
        ([("authorization", b"Bearer \xe9\xff")], 401, 'Bearer error="invalid_token"'),
    ],
)
async def test_bad_credentials_are_refused_where_none_are_needed(
    headers: Any, status: int, challenge: str, browser: httpx.AsyncClient
) -> None:
    answer = await browser.get("/whoami", headers=headers)
    assert answer.status_code == status
    assert answer.headers["www-authenticate"].startswith(challenge)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("basic", "schemes"), [(True, "schemes Bearer and Basic are"), (False, "scheme Bearer is")]
)
async def test_another_scheme_is_told_which_are_in_use(
    basic: bool, schemes: str, app: FastAPI, browser: httpx.AsyncClient, verifier: TokenVerifier
) -> None:
    app.state.authenticator = Authenticator(verifier, basic=basic)
    answer = await browser.get("/whoami", headers={"authorization": "Digest a"})
    assert (answer.status_code, answer.json()["detail"]) == (401, f"Only the {schemes} in use here")


async def test_the_schemes_are_in_the_openapi_document(app: FastAPI) -> None:
    document = app.openapi()
    openapi.secure(document, app.routes)
    schemes = document["components"]["securitySchemes"]
    assert (schemes["bearer"]["type"], schemes["bearer"]["scheme"]) == ("http", "bearer")
    assert (schemes["apiKey"]["in"], schemes["apiKey"]["name"]) == ("header", "X-API-Key")
    for path in ("/whoami", "/publish"):
        assert document["paths"][path]["get"]["security"] == [{}, {"bearer": []}, {"apiKey": []}]
