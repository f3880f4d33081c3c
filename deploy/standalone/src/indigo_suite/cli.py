"""The ``indigo`` command: up, token, events, demo."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from indigo_dev.postgres import EmbeddedPostgres
from indigo_dev.processes import ServerError
from rich.console import Console
from rich.table import Table

from indigo_suite.layout import ROUTES, Addresses, DataDirectory

# The services are imported where they are needed: PostgreSQL starts while Python reads them.

app = typer.Typer(
    help="The INDIGO Data Life Cycle suite.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()

DataDir = Annotated[Path, typer.Option("--data-dir", help="Folder that holds everything the suite keeps.")]
Port = Annotated[int, typer.Option(min=1, max=65_529, help="The front door; the services have the next five.")]

DEFAULT_DATA = Path(".indigo/data")
EXAMPLE = Path("examples/penguins")


@contextlib.asynccontextmanager
async def database_server(data: DataDirectory) -> AsyncIterator[str]:
    """``INDIGO_DATABASE_URL``, or an embedded PostgreSQL in the data directory that starts in the background."""
    given = os.environ.get("INDIGO_DATABASE_URL")
    if given:
        import indigo_suite.suite

        yield given
        return
    server = EmbeddedPostgres(data.postgres)
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(server.start)
        import indigo_suite.suite  # noqa: F401 - two seconds of imports, while the server starts

        await asyncio.wrap_future(starting)
    try:
        yield server.server_url
    finally:
        await asyncio.to_thread(server.stop)


def table_of(addresses: Addresses) -> Table:
    table = Table(title="INDIGO Data Life Cycle", title_justify="left")
    table.add_column("service")
    table.add_column("front door")
    table.add_column("own root")
    for name, route in ROUTES.items():
        table.add_row(name, addresses.front + route, addresses.of(name))
    return table


async def _up(data: DataDirectory, addresses: Addresses, began: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    data.create()
    async with database_server(data) as server_url:
        from indigo_kernel.http.server import started
        from indigo_kernel.logging import configure_logging

        from indigo_suite.suite import running

        configure_logging(service="suite", level=os.environ.get("INDIGO_LOG_LEVEL", "warning"))
        async with running(data, addresses, server_url):
            data.note_address(addresses.front)
            console.print(table_of(addresses))
            console.print(f"data in {data.root}; a token: [bold]indigo token --data-dir {data.root}[/]")
            console.print(f"ready in {time.perf_counter() - began:.1f} s at {addresses.front} (Ctrl-C stops it)")
            sys.stdout.flush()
            started()
            await stop.wait()
            console.print("stopping")


@app.command()
def up(data_dir: DataDir = DEFAULT_DATA, port: Port = 8000) -> None:
    """Run the five services, with PostgreSQL and the bus inside, until Ctrl-C or SIGTERM."""
    began = time.perf_counter()
    addresses = Addresses(port)
    try:
        from indigo_kernel.http.server import run

        run(_up(DataDirectory(data_dir.resolve()), addresses, began))
    except ServerError as error:
        raise _refusal(str(error)) from error
    except OSError as error:
        if error.errno != 98:  # EADDRINUSE
            raise
        raise _refusal(f"A port between {port} and {port + 5} is taken. Choose others with --port.") from error


def _refusal(sentence: str) -> typer.Exit:
    """Tell why not, and what to do; for ``raise``."""
    Console(stderr=True).print(sentence)
    return typer.Exit(1)


@app.command()
def token(
    data_dir: DataDir = DEFAULT_DATA,
    scopes: Annotated[str, typer.Option(help="Scopes, with blanks or commas between; all when absent.")] = "",
    subject: Annotated[str, typer.Option(help="Whom the token speaks for.")] = "operator",
    hours: Annotated[float, typer.Option(min=0.01, max=720, help="How long it counts.")] = 12,
) -> None:
    """Print a token of the suite's own issuer."""
    print(_sign(data_dir, subject, scopes.replace(",", " ").split(), hours))


def _sign(data_dir: Path, subject: str, scopes: list[str], hours: float) -> str:
    """A token of the suite that last ran on ``data_dir``."""
    data = DataDirectory(data_dir.resolve())
    address = _address(data)
    from indigo_suite.suite import EVERY_SCOPE, make_issuer
    from indigo_suite.suite import token as sign

    issuer = make_issuer(data, Addresses(int(address.rsplit(":", 1)[1])))
    return sign(issuer, subject, scopes or EVERY_SCOPE, hours=hours)


def _address(data: DataDirectory) -> str:
    address = data.address()
    if address is None:
        raise _refusal(f"No suite has run on {data.root} yet. Start one: indigo up --data-dir {data.root}")
    return address


@app.command()
def events(
    data_dir: DataDir = DEFAULT_DATA,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones.")] = False,
    json_lines: Annotated[bool, typer.Option("--json", help="Whole CloudEvents, one a line.")] = False,
) -> None:
    """Show the published events of the five services, oldest first."""
    address = _address(DataDirectory(data_dir.resolve()))
    from indigo_suite.events import show

    token = _sign(data_dir, "events", [], 24)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(show(address, token, follow=follow, json_lines=json_lines))


@app.command()
def demo(
    data_dir: DataDir = Path(".indigo/demo"),
    port: Port = 8000,
) -> None:
    """Take a real table through its whole life: plan, deposit, identifiers, storage, tests, and a damage found."""
    began = time.perf_counter()
    if not EXAMPLE.is_dir():
        raise _refusal(f"The example is in {EXAMPLE} of the repository: run this there.")
    try:
        from indigo_suite.demo import run

        code = asyncio.run(run(DataDirectory(data_dir.resolve()), Addresses(port), began))
    except ServerError as error:
        raise _refusal(str(error)) from error
    except OSError as error:
        if error.errno != 98:
            raise
        raise _refusal(f"A port between {port} and {port + 5} is taken. Choose others with --port.") from error
    else:
        raise typer.Exit(code)


if __name__ == "__main__":
    app()
