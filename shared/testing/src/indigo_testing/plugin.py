"""pytest plugin: real servers, started by the run itself in private directories unless some are offered.

Environment: ``INDIGO_TEST_DATABASE_URL`` (a PostgreSQL whose role may create databases),
``INDIGO_TEST_AMQP_URL`` (a RabbitMQ), ``INDIGO_VECTORS`` (the directory of test data).
With pytest-xdist every worker has servers of its own.
"""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from indigo_dev import processes
from indigo_dev.databases import database_name, database_url
from indigo_dev.postgres import EmbeddedPostgres
from indigo_dev.processes import ServerError
from indigo_dev.rabbitmq import PrivateRabbit, ensure_installed

from indigo_testing.brokers import private_rabbit
from indigo_testing.databases import DatabaseMaker
from indigo_testing.directories import server_directory


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server's maintenance database, in SQLAlchemy's form."""
    offered = os.environ.get("INDIGO_TEST_DATABASE_URL")
    if offered:
        yield database_url(offered, database_name(offered))
        return
    with (
        server_directory("postgres", EmbeddedPostgres) as directory,
        EmbeddedPostgres(directory, durable=False) as server,
    ):
        yield server.server_url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def make_database(postgres_server: str) -> AsyncIterator[DatabaseMaker]:
    """Makes fresh databases that are dropped at the end of the run."""
    maker = DatabaseMaker(postgres_server)
    yield maker
    await maker.drop_all()


@pytest.fixture(scope="session")
def rabbit() -> Iterator[PrivateRabbit]:
    """A RabbitMQ node of this run: it may be restarted, killed and frozen. Shared: leave it running."""
    try:
        ensure_installed()
    except ServerError as error:
        pytest.skip(str(error))
    with private_rabbit() as node:
        yield node


@pytest.fixture(scope="session")
def amqp_url(request: pytest.FixtureRequest) -> str:
    """The URL of a RabbitMQ: the offered one, or this run's own."""
    offered = os.environ.get("INDIGO_TEST_AMQP_URL")
    if offered:
        return offered
    node: PrivateRabbit = request.getfixturevalue("rabbit")
    return node.url


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Gives a TCP port of 127.0.0.1 nobody uses now each time it is called."""
    return processes.free_port


@pytest.fixture(scope="session")
def vectors(pytestconfig: pytest.Config) -> Path:
    """The directory of test data that is too large or too foreign to live in the repository."""
    named = os.environ.get("INDIGO_VECTORS")
    directory = Path(named) if named else pytestconfig.rootpath.parent / "shared" / "vectors"
    if not directory.is_dir():
        pytest.skip(f"no test data in {directory}: set INDIGO_VECTORS to its directory")
    return directory


@pytest.fixture(scope="module", autouse=True)
def small_garbage_rounds() -> Iterator[None]:
    """Keep what earlier modules left out of the garbage collector's rounds.

    FastAPI remembers thousands of endpoints, and with them the services of hundreds of tests: each of the larger
    rounds would look at all of it and stop a service for seconds, in the middle of a test that waits for it.
    """
    yield
    gc.collect()
    gc.freeze()


_LINES_SHOWN = 60
"""Of what a failed test printed: a service under test may have logged thousands of requests."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of what a failed test printed, so that the reason stays in sight."""
    report = yield
    report.sections = [(title, end_of(printed)) for title, printed in report.sections]
    return report


def end_of(printed: str) -> str:
    """The last lines, and how many there are before them."""
    lines = printed.splitlines(keepends=True)
    left_out = len(lines) - _LINES_SHOWN
    return printed if left_out <= 0 else "".join([f"({left_out} lines before)\n", *lines[left_out:]])


def pytest_unconfigure() -> None:
    """Have what was kept destroyed before libraries in C look whether anything of theirs is left."""
    gc.unfreeze()
