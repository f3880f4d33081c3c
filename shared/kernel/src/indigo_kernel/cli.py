"""The verbs of a service's command line: serve, relay, consume, migrate, topology, and what prints documents."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import structlog
import typer
from pydantic import ValidationError

from indigo_kernel.bus.topology import definitions
from indigo_kernel.db import migrate as migrations
from indigo_kernel.db.migrate import SchemaBehind
from indigo_kernel.http.server import listen, run, serving, started
from indigo_kernel.logging import configure_logging
from indigo_kernel.runtime import Runtime
from indigo_kernel.settings import ServiceSettings, example_settings, settings_table
from indigo_kernel.telemetry import ops_app

log = structlog.get_logger()

Role = Callable[[], Awaitable[None]]
S = TypeVar("S", bound=ServiceSettings)


def service_cli(service: str, settings_type: type[S], build: Callable[[S], Runtime]) -> typer.Typer:
    """The command line of one service. ``serve``, ``relay`` and ``consume`` are separate processes."""
    app = typer.Typer(
        help=f"The {service} service.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )

    def ready() -> tuple[S, Runtime]:
        settings = _settings(settings_type)
        configure_logging(service=service, level=settings.log_level)
        return settings, build(settings)

    @app.command()
    def serve() -> None:
        """Answer HTTP requests."""
        settings, runtime = ready()
        _run(_process(settings, runtime, None))

    @app.command()
    def relay() -> None:
        """Hand the events of the outbox to RabbitMQ."""
        settings, runtime = ready()
        _run(_process(settings, runtime, runtime.relay))

    @app.command()
    def consume() -> None:
        """Take events from RabbitMQ and run the leased workers."""
        settings, runtime = ready()
        _run(_process(settings, runtime, runtime.consume))

    @app.command()
    def migrate() -> None:
        """Bring the database to this release's revision."""
        _, runtime = ready()
        asyncio.run(_migrate(runtime))

    @app.command()
    def topology() -> None:
        """Print exchange, queues and bindings as RabbitMQ definitions, for brokers that are set up beforehand."""
        _print(definitions(build(example_settings(settings_type)).subscriptions))

    @app.command()
    def openapi() -> None:
        """Print the OpenAPI document."""
        _print(build(example_settings(settings_type)).api.openapi())

    @app.command(name="asyncapi")
    def asyncapi_document() -> None:
        """Print the AsyncAPI document."""
        _print(build(example_settings(settings_type)).api.state.asyncapi)

    @app.command()
    def settings() -> None:
        """Print the settings as a Markdown table."""
        typer.echo(settings_table(settings_type))

    return app


def _settings(settings_type: type[S]) -> S:
    try:
        return settings_type()
    except ValidationError as error:
        prefix = str(settings_type.model_config.get("env_prefix", ""))
        for each in error.errors():
            name = prefix + "__".join(str(part) for part in each["loc"]).upper()
            typer.echo(f"{name}: {each['msg']}", err=True)
        typer.echo("Set these in the environment; the verb `settings` explains them all.", err=True)
        raise typer.Exit(2) from error


def _run(main: Any) -> None:
    try:
        run(main)
    except SchemaBehind as error:
        typer.echo(str(error), err=True)
        sys.exit(3)


def _print(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


async def _migrate(runtime: Runtime) -> None:
    try:
        await migrations.upgrade(runtime.database.engine, runtime.migrations)
    finally:
        await runtime.database.engine.dispose()


@contextlib.asynccontextmanager
async def _open_ports(settings: ServiceSettings, runtime: Runtime, *, api: bool) -> AsyncIterator[None]:
    """The API's port when asked for, and the operations port when there is one."""
    async with contextlib.AsyncExitStack() as stack:
        if settings.ops_port is not None:
            ops = ops_app(runtime.name, runtime.health)
            await stack.enter_async_context(serving(ops, listen(settings.host, settings.ops_port)))
        if api:
            await stack.enter_async_context(serving(runtime.api, listen(settings.host, settings.port)))
        yield


async def _process(settings: ServiceSettings, runtime: Runtime, role: Role | None) -> None:
    """Run one role until SIGTERM or SIGINT; without a role, the API."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await runtime.start()
    try:
        async with _open_ports(settings, runtime, api=role is None):
            if role is not None:
                await role()
            started()
            log.info("process.ready", service=runtime.name, role=role.__name__ if role else "serve")
            await stop.wait()
    finally:
        await runtime.stop()
