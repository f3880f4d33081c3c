"""What every service's ``bootstrap`` begins with: settings turned into engine, bus, clock, keys and clients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import httpx
import sqlalchemy as sa
from fastapi import APIRouter, FastAPI
from indigo_contracts.asyncapi import asyncapi
from indigo_contracts.envelope import Fact
from indigo_contracts.registry import FACTS, facts_of
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.responses import JSONResponse

from indigo_kernel.auth.api_key_routes import api_key_routes
from indigo_kernel.auth.api_keys import ApiKeys
from indigo_kernel.auth.client import ServiceTokens, client_credentials
from indigo_kernel.auth.dependency import Authenticator, require
from indigo_kernel.auth.issuers import TrustedIssuer
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.bus.amqp import AmqpBus
from indigo_kernel.bus.claims import redeem
from indigo_kernel.bus.ports import Bus, Subscription
from indigo_kernel.clock import Clock, SystemClock
from indigo_kernel.db.engine import create_engine
from indigo_kernel.db.feed import Dependency, events_router, known
from indigo_kernel.db.uow import Database
from indigo_kernel.health import HealthChecks
from indigo_kernel.http.app import Api, create_api
from indigo_kernel.http.client import Retries, internal_client
from indigo_kernel.http.limits import InputLimits
from indigo_kernel.problems import NotFound
from indigo_kernel.runtime import Background, Close, Runtime
from indigo_kernel.settings import ServiceSettings

SERVICE_SCOPES = (Scope.SERVICE,)
"""What a service asks for in its own name when it calls another one."""


@dataclass
class Platform:
    """The outside world of one service. Tests and the standalone suite hand in their own bus, clock or keys."""

    service: str
    settings: ServiceSettings
    clock: Clock
    database: Database
    bus: Bus
    owns_bus: bool
    authenticator: Authenticator
    health: HealthChecks
    service_auth: httpx.Auth | None
    _transport: httpx.AsyncBaseTransport | None
    _close: list[Close] = field(default_factory=list)

    @classmethod
    def create(
        cls,
        service: str,
        settings: ServiceSettings,
        *,
        clock: Clock | None = None,
        bus: Bus | None = None,
        verifier: TokenVerifier | None = None,
        service_auth: httpx.Auth | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        basic_auth: bool = False,
    ) -> Self:
        """``basic_auth`` accepts API keys as passwords. Raises ``ValueError`` naming a setting that is missing."""
        clock = clock or SystemClock()
        database = Database(
            create_engine(settings.database_url.get_secret_value(), application=f"indigo-{service}"),
            clock,
            settings.base_url,
        )
        close: list[Close] = []
        owns_bus = bus is None
        bus = bus or _amqp(service, settings)
        if verifier is None or (service_auth is None and settings.token_url is not None):
            outside = httpx.AsyncClient(timeout=10, transport=transport, trust_env=False)
            close.append(outside.aclose)
            verifier = verifier or TokenVerifier(
                _issuers(settings),
                settings.audience,
                clock,
                outside,
            )
            service_auth = service_auth or _service_auth(settings, outside, clock)
        health = HealthChecks()
        platform = cls(
            service=service,
            settings=settings,
            clock=clock,
            database=database,
            bus=bus,
            owns_bus=owns_bus,
            authenticator=Authenticator(verifier, ApiKeys(database.engine, clock), basic=basic_auth),
            health=health,
            service_auth=service_auth,
            _transport=transport,
            _close=close,
        )
        health.add("database", platform._ping_database)
        health.add("bus", platform._ping_bus)
        return platform

    @property
    def engine(self) -> AsyncEngine:
        return self.database.engine

    async def _ping_database(self) -> None:
        async with self.engine.connect() as conn:
            await conn.execute(sa.text("SELECT 1"))

    async def _ping_bus(self) -> None:
        if not self.bus.healthy():
            raise ConnectionError("deliveries cannot flow now")

    def client(self, base_url: str, *, retries: Retries | None = None) -> httpx.AsyncClient:
        """A client for another service of the suite: our token, trace, retries. Closed with the runtime.

        ``retries`` other than the usual ones are for callers that have their own way to try again.
        """
        client = internal_client(base_url, auth=self.service_auth, retries=retries, transport=self._transport)
        self._close.append(client.aclose)
        return client

    def api(
        self,
        *,
        title: str,
        description: str,
        routers: Sequence[APIRouter],
        streams: Callable[[str, str], bool] | None = None,
        receives: Sequence[type[Fact]] = (),
        events: Dependency = known,
    ) -> Api:
        """The HTTP application: the service's routers and what every service answers.

        ``streams(method, path)`` names the routes that read a body of any size by themselves. ``events`` lets
        those pass who may read what was published: everyone who says who they are, unless there is more in it.
        """
        release = version(f"indigo-{self.service}")
        document = asyncapi(title, release, sends=facts_of(self.service.split("-", 1)[0]), receives=receives)
        api = create_api(
            title=title,
            description=description,
            service=self.service,
            version=release,
            ops=self.health,
            routers=[
                events_router(
                    self.engine, self.bus, clock=self.clock, operator=require(Scope.OPERATOR), events=events
                ),
                api_key_routes(self.service.replace("-", "_")),
                asyncapi_router(document),
                *routers,
            ],
            public_url=self.settings.base_url,
            cursor_key=self.settings.secret_key.get_secret_value().encode(),
            limits=InputLimits(streams=streams) if streams else None,
        )
        api.state.authenticator = self.authenticator
        api.state.asyncapi = document
        return api

    def runtime(
        self,
        api: FastAPI,
        *,
        migrations: Path,
        subscriptions: Sequence[Subscription] = (),
        workers: Sequence[Background] = (),
    ) -> Runtime:
        runtime = Runtime(
            name=self.service,
            api=api,
            database=self.database,
            bus=self.bus,
            owns_bus=self.owns_bus,
            health=self.health,
            migrations=migrations,
            subscriptions=subscriptions,
            workers=workers,
            close=self._close,
        )
        self.health.add("background", _running(runtime), live=True)
        return runtime


def _running(runtime: Runtime) -> Callable[[], Any]:
    async def check() -> None:
        if not runtime.healthy():
            raise RuntimeError("a background task has ended")

    return check


def _issuers(settings: ServiceSettings) -> list[TrustedIssuer]:
    unknown = settings.issuer_scopes.keys() - set(settings.trusted_issuers)
    if unknown:
        raise ValueError(f"issuer_scopes names issuers that are not trusted: {', '.join(sorted(unknown))}")
    limits = {issuer: frozenset(scopes) for issuer, scopes in settings.issuer_scopes.items()}
    return [TrustedIssuer(issuer, scopes=limits.get(issuer)) for issuer in settings.trusted_issuers]


def _amqp(service: str, settings: ServiceSettings) -> Bus:
    if settings.amqp_url is None:
        prefix = settings.model_config.get("env_prefix", "")
        raise ValueError(f"Set {prefix}AMQP_URL to the RabbitMQ that carries the events")
    return AmqpBus(settings.amqp_url.get_secret_value(), name=f"indigo-{service}", fetch=redeem)


def _service_auth(settings: ServiceSettings, http: httpx.AsyncClient, clock: Clock) -> httpx.Auth | None:
    if settings.token_url is None or settings.client_id is None or settings.client_secret is None:
        return None
    return ServiceTokens(
        client_credentials(
            http,
            str(settings.token_url),
            client_id=settings.client_id,
            client_secret=settings.client_secret.get_secret_value(),
            scopes=SERVICE_SCOPES,
            audience=settings.audience,
        ),
        clock,
    )


def asyncapi_router(document: dict[str, Any]) -> APIRouter:
    """``/asyncapi.json`` and the payload schemas the envelopes' ``dataschema`` names."""
    router = APIRouter(tags=["events"])

    @router.get("/asyncapi.json", include_in_schema=False)
    async def get_asyncapi() -> JSONResponse:
        return JSONResponse(document)

    @router.get("/schemas/{fact}.json", include_in_schema=False)
    async def get_schema(fact: str) -> JSONResponse:
        model = FACTS.get(fact)
        if model is None:
            raise NotFound(f"There is no event named {fact}")
        return JSONResponse(model.model_json_schema(), media_type="application/schema+json")

    return router
