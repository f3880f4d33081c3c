"""The five services in one process: composed, started in order, stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from indigo_dev.databases import database_url, ensure_databases
from indigo_kernel.auth.client import ServiceTokens
from indigo_kernel.auth.issuer import Client, DevIssuer
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.bus.claims import redeem
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.bus.ports import Bus
from indigo_kernel.clock import SystemClock
from indigo_kernel.db import migrate
from indigo_kernel.db.jobs import free_leases
from indigo_kernel.http.server import listen, serving
from indigo_kernel.platform import SERVICE_SCOPES
from indigo_kernel.runtime import Runtime

from indigo_suite.configuration import AUDIENCE, settings_of
from indigo_suite.front import front_door
from indigo_suite.layout import SERVICES, Addresses, DataDirectory
from indigo_suite.services import SERVICE_KINDS


@dataclass(frozen=True, slots=True)
class Suite:
    """A running suite."""

    addresses: Addresses
    issuer: DevIssuer
    runtimes: dict[str, Runtime]


def make_issuer(data: DataDirectory, addresses: Addresses) -> DevIssuer:
    """The development issuer of a data directory; the services are its clients."""
    clients = {
        name: Client(data.secret(f"client-{name}"), frozenset(str(scope) for scope in SERVICE_SCOPES))
        for name in SERVICES
    }
    return DevIssuer(data.issuer, addresses.issuer, clients=clients)


@contextlib.asynccontextmanager
async def running(data: DataDirectory, addresses: Addresses, server_url: str) -> AsyncIterator[Suite]:
    """Run the suite on ``data`` with the PostgreSQL at ``server_url`` for the length of the block.

    Raises ``OSError`` when a port is taken, before anything was started.
    """
    async with contextlib.AsyncExitStack() as stack:
        sockets = {name: listen("127.0.0.1", addresses.port_of(name)) for name in SERVICES}
        door = listen("127.0.0.1", addresses.port)
        for each in (*sockets.values(), door):
            stack.callback(each.close)
        data.create()
        await ensure_databases(server_url, [_database(name) for name in SERVICES])
        issuer = make_issuer(data, addresses)
        amqp_url = os.environ.get("INDIGO_AMQP_URL")
        bus: Bus | None = None
        if amqp_url is None:
            bus = MemoryBus(data.journal, fetch=redeem)
            await bus.start()
            stack.push_async_callback(bus.stop)
        runtimes = {name: _build(name, data, addresses, server_url, issuer, bus, amqp_url) for name in SERVICES}
        for runtime in runtimes.values():
            stack.push_async_callback(runtime.stop)
        await asyncio.gather(*(_bring_up(runtime) for runtime in runtimes.values()))
        for name, runtime in runtimes.items():
            await stack.enter_async_context(serving(runtime.api, sockets[name]))
        apis = {name: runtime.api for name, runtime in runtimes.items()}
        await stack.enter_async_context(serving(front_door(apis, issuer, addresses), door))
        for runtime in runtimes.values():
            stack.push_async_callback(runtime.quiesce)  # before the servers go: workers call them
            await runtime.consume()
        for runtime in runtimes.values():
            await runtime.relay()
        yield Suite(addresses, issuer, runtimes)


def _build(
    name: str,
    data: DataDirectory,
    addresses: Addresses,
    server_url: str,
    issuer: DevIssuer,
    bus: Bus | None,
    amqp_url: str | None,
) -> Runtime:
    clock = SystemClock()
    settings = settings_of(
        name, data, addresses, database_url=database_url(server_url, _database(name)), amqp_url=amqp_url
    )
    source = issuer.source(f"service:{name}", [str(scope) for scope in SERVICE_SCOPES], audience=AUDIENCE)
    return SERVICE_KINDS[name].build(
        settings,
        clock=clock,
        bus=bus,
        verifier=TokenVerifier([issuer.trusted()], AUDIENCE, clock),
        service_auth=ServiceTokens(source, clock),
    )


def _database(service: str) -> str:
    return f"indigo_{service.replace('-', '_')}"


async def _bring_up(runtime: Runtime) -> None:
    """Start a service, after bringing its database to this release's revision where it is behind.

    Its workers are all in this process: the leases of one that was killed need not be waited for.
    """
    try:
        await runtime.start()
    except migrate.SchemaBehind:
        await migrate.upgrade(runtime.database.engine, runtime.migrations)
        await runtime.start()
    await free_leases(runtime.database.engine)


def token(issuer: DevIssuer, subject: str, scopes: list[str], *, hours: float = 12) -> str:
    """A token for a person or a portal, signed by the suite's own issuer."""
    return issuer.token(subject, scopes, audience=AUDIENCE, ttl=timedelta(hours=hours), name=subject)


EVERY_SCOPE = [str(scope) for scope in Scope if scope != Scope.SERVICE]
"""What the owner of a standalone suite may do: everything but speak for a service."""
