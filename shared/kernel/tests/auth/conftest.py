"""Parts the tests of authentication share: a clock that stands still, keys, a signer, an issuer on a real port."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from indigo_kernel.auth.issuers import TrustedIssuer
from indigo_kernel.auth.signatures import ALGORITHMS
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.clock import ManualClock
from indigo_kernel.problems import DomainError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Signer:
    """One key of an issuer, able to sign whatever it is told to."""

    def __init__(self, algorithm: str, key: RSAKey | ECKey | OKPKey, issuer: str) -> None:
        self.algorithm = algorithm
        self.key = key
        self.issuer = issuer

    @property
    def public(self) -> dict[str, Any]:
        return {**self.key.as_dict(private=False), "use": "sig", "alg": self.algorithm}

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Good claims, with changes; ``None`` takes a claim away."""
        now = int(NOW.timestamp())
        claims = {"iss": self.issuer, "sub": "ada", "aud": "indigo", "iat": now, "exp": now + 3600, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, payload: bytes, **header: Any) -> str:
        """A compact JWS, made by hand so that nothing in it is checked on the way."""
        head = {"alg": self.algorithm, "kid": self.key.kid, "typ": "at+jwt", **header}
        head = {name: value for name, value in head.items() if value is not None}
        signed = f"{b64(json_bytes(head))}.{b64(payload)}"
        return f"{signed}.{b64(ALGORITHMS[self.algorithm].sign(signed.encode(), self.key))}"

    def token(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        return self.sign(json_bytes(self.claims(**changes)), **(header or {}))


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def json_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


_SHAPES = {
    "RS256": ("RSA", 2048),
    "RS512": ("RSA", 2048),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "EdDSA": ("OKP", "Ed25519"),
}


def make_signer(algorithm: str = "ES256", issuer: str = "https://issuer.example") -> Signer:
    kind, shape = _SHAPES[algorithm]
    return Signer(algorithm, JWKRegistry.generate_key(kind, shape, auto_kid=True), issuer)  # type: ignore[arg-type]


class IssuerSite:
    """An issuer's web site on a port of 127.0.0.1, which can be stopped and started again."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.signers: list[Signer] = []
        self.answers: dict[str, Response] = {}
        self._port = 0
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def new_signer(self) -> Signer:
        """One more key in the published set."""
        signer = make_signer(issuer=self.url)
        self.signers.append(signer)
        return signer

    async def start(self) -> None:
        listening = socket.create_server(("127.0.0.1", self._port))  # connections queue from here on
        self._port = listening.getsockname()[1]
        app = FastAPI()

        @app.get("/{path:path}")
        async def answer(path: str) -> Response:
            self.hits[path] += 1
            if path in self.answers:
                return self.answers[path]
            if path == ".well-known/openid-configuration":
                return JSONResponse({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})
            if path == "keys":
                return JSONResponse({"keys": [signer.public for signer in self.signers]})
            return Response(status_code=404)

        config = uvicorn.Config(app, log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]))

    async def stop(self) -> None:
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
            self._server = self._task = None


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture(scope="session")
def signer() -> Signer:
    return make_signer()


@pytest.fixture(scope="session")
def signers() -> dict[str, Signer]:
    """One signer for each accepted algorithm."""
    return {algorithm: make_signer(algorithm) for algorithm in ALGORITHMS}


@pytest.fixture
def verifier(signer: Signer, clock: ManualClock) -> TokenVerifier:
    return TokenVerifier([TrustedIssuer(signer.issuer, jwks={"keys": [signer.public]})], "indigo", clock)


@asynccontextmanager
async def issuer_site() -> AsyncIterator[IssuerSite]:
    site = IssuerSite()
    await site.start()
    try:
        yield site
    finally:
        await site.stop()


@pytest_asyncio.fixture
async def site() -> AsyncIterator[IssuerSite]:
    async with issuer_site() as site:
        yield site


@pytest_asyncio.fixture
async def other_site() -> AsyncIterator[IssuerSite]:
    async with issuer_site() as site:
        yield site


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
def app() -> FastAPI:
    """An empty service that answers problems as the suite does."""
    app = FastAPI()

    @app.exception_handler(DomainError)
    async def problem(request: Request, error: DomainError) -> Response:
        return Response(
            error.problem().model_dump_json(),
            status_code=error.status,
            headers=error.headers,
            media_type="application/problem+json",
        )

    return app


@pytest_asyncio.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of ``app``."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service.example") as client:
        yield client
